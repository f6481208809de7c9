"""The operators of the temporal graph, by what they do."""

from .attention import Attention
from .automaton import Automaton
from .matrix import Conv2d, Linear
from .neuron import Neuron
from .pointwise import Add, Affine, Bias, Flatten, Gate, Greater, Repeat, SpatialMask
from .pooling import GlobalSum, MaxPool, SumPool
from .spiking import Spiking

__all__ = [
    "Add",
    "Affine",
    "Attention",
    "Automaton",
    "Bias",
    "Conv2d",
    "Flatten",
    "Gate",
    "GlobalSum",
    "Greater",
    "Linear",
    "MaxPool",
    "Neuron",
    "Repeat",
    "SpatialMask",
    "Spiking",
    "SumPool",
]
