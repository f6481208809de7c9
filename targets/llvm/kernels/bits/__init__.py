"""Bit-serial: words of spikes and ternary weights, AND and popcount."""
