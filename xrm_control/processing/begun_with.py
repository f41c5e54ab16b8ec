"""The recipe in a run's folder, if it is what the run was begun with: what is made of its frames rests on it."""

from __future__ import annotations

from xrm_control.core.errors import Altered
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder


def recipe_begun_with(folder: RunFolder, record: RunRecord) -> Recipe:
    """The run's recipe. Raises Altered where another one lies in the folder, RecipeError for what is none."""
    recipe = load_document(folder.recipe, Recipe, {})[0]
    if recipe.sha256() != record.recipe_sha256:
        raise Altered(
            "the recipe in the run's folder is not the one that the run was begun with",
            where=str(folder.recipe),
            value=recipe.sha256()[:12],
            limit=record.recipe_sha256[:12],
            remedy="put it back as it was, or start the changed recipe as a run of its own",
        )
    return recipe
