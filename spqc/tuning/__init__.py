"""Tuning: which kernels are fastest on this machine, measured, kept and used again."""
