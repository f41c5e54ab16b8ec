"""Formats of particles' surfaces: one file each."""
