"""The Python API. Its names are those of `xrm_control`; see docs/how-to/python.md."""
