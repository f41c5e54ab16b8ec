"""Members of the threshold family, one a file."""
