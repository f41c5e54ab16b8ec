"""The addresses of the server: to look, to watch, to act."""
