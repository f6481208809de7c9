"""Depthwise: a channel reads itself alone."""
