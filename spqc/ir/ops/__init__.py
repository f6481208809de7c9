"""The operators of the temporal graph, by what they do."""

from .attention import Attention
from .automaton import Automaton
from .integrate import CurrentNeuron, Integrate
from .matrix import Conv, Conv1d, Conv2d, Conv3d, Linear
from .neuron import Neuron
from .pointwise import Add, Affine, Bias, Combine, Flatten, Gate, Greater, Repeat, Reshape, SpatialMask
from .pooling import GlobalSum, MaxPool, SumPool
from .spiking import Spiking

__all__ = [
    "Add",
    "Affine",
    "Attention",
    "Automaton",
    "Bias",
    "Combine",
    "Conv",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "CurrentNeuron",
    "Flatten",
    "Gate",
    "GlobalSum",
    "Greater",
    "Integrate",
    "Linear",
    "MaxPool",
    "Neuron",
    "Repeat",
    "Reshape",
    "SpatialMask",
    "Spiking",
    "SumPool",
]
