"""Bit slices: outputs are the bits of a vector, and full adders count."""
