"""Runs a compiled library: memory, calls, streams, and what it leaves as arrays."""
