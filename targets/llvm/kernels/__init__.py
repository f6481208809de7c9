"""Kernels of the CPU: a folder for each strategy; `rows` and `whole` serve several, or are no strategies."""
