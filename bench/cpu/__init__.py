"""Compiled networks against what users run today, on this machine's CPU: `python -m bench.cpu`."""
