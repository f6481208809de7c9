"""Sparse: the dense kernel without the rows of weights that are zero."""
