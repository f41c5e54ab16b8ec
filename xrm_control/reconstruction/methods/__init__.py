"""Reconstruction methods, one file each."""
