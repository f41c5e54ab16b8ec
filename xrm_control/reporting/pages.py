"""Pages from templates: every text escaped, every name that is not there an error."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page(template: str, **facts: Any) -> str:
    """The template of that name with its facts, as text."""
    environment = Environment(
        loader=PackageLoader("xrm_control.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**facts)
