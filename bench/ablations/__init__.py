"""Ablations on small data: what each part of a quantised spiking network costs, three seeds each."""
