"""Members of the metric family, one a file."""
