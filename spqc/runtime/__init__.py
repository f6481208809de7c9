"""Compiled networks: the artifact file, sessions that run it, and what they observe."""
