"""What pyproject.toml cannot say: the recipes stand beside the package in a checkout and inside it in a wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithRecipes(build_py):
    """Copies `recipes/` and the docs into the package that is built."""

    def run(self) -> None:
        super().run()
        if getattr(self, "editable_mode", False):
            return
        package = Path(self.build_lib) / "xrm_control"
        for name in ("recipes", "docs"):
            shutil.rmtree(package / name, ignore_errors=True)
            shutil.copytree(name, package / name, ignore=shutil.ignore_patterns("__pycache__", ".*", "runs", "_build"))


setup(cmdclass={"build_py": BuildWithRecipes})
