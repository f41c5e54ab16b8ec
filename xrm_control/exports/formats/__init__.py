"""Members of the exporter family, one a file."""
