"""Quantised spiking layers for training in torch, and the reference meaning of a trained network."""
