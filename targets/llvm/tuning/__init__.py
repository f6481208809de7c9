"""Measures kernels alone, here or elsewhere, and the networks that the cost function is fitted with."""
