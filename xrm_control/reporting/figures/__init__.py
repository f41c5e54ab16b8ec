"""Figures: each one function from data to a picture, drawn without a display, for reading at its natural size."""
