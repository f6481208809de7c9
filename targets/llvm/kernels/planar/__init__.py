"""Planar: byte dot products whose lanes are pixels."""
