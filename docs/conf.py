"""Sphinx: the pages of this folder as HTML. `make docs` builds them; a warning is an error."""

project = "xrm_control"
copyright = "xrm_control contributors"  # noqa: A001  Sphinx's own name for it
extensions = ["myst_parser"]
exclude_patterns = ["_build", "**/runs"]
myst_heading_anchors = 3
html_theme = "alabaster"
