"""Kernel emitters: one file a strategy."""
