"""Operators that are kernels of their own: attention, wide counts, pooling, reshapes."""
