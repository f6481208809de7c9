"""A network of two layers whose every figure can be worked out on paper."""

from __future__ import annotations

import numpy as np

from spqc.ir import Graph, parse_graph

TEXT = """graph hand(%x: uint8<1x4x4>) steps=3 {
  note input_encoding = "pixels"
  const @w0: pot4<2x1x3x3> @const
  const @a0: float32<2> @const
  const @b0: float32<2> @const
  const @g: int2<2x1> @const
  const @t: int2<2> @const
  const @w1: int8<5x8> @const
  state $m: ternary<2x4x4>
  %0: int32<2x4x4> = conv2d %x, @w0 {padding=1}  // one (SpikingConv2d)
  %1: float32<2x4x4> = affine %0, @a0, @b0  // one (SpikingConv2d)
  %2: float32<2x4x4> = spatial_mask %1 {threshold=0.75}  // one (SpikingConv2d)
  %3: uint12<1>*0.0625 = global_sum %x  // one (SpikingConv2d)
  %4: int32<2>*0.0625 = linear %3, @g  // one (SpikingConv2d)
  %5: spike<2> = greater %4, @t  // one (SpikingConv2d)
  %6: float32<2x4x4> = gate %2, %5  // one (SpikingConv2d)
  %7: spike<2x4x4>, %8: ternary<2x4x4> = neuron %6, $m  // one (SpikingConv2d)
  %9: uint3<2x2x2>*0.25 = sum_pool %7  // two (SumPool2d)
  %10: uint3<8>*0.25 = flatten %9  // three (Flatten)
  %11: int32<5>*0.25 = linear %10, @w1  // head (Classifier)
  next $m = %8
  return %11
}
"""


def hand() -> Graph:
    """Return the network: a 3x3 convolution of 1 -> 2 channels on 4x4, mask, gate, 2x2 pooling, 8 -> 5 classes.

    A quarter of: the pixel itself (channel 0), twice the one to its right less itself (channel 1). The gate of channel
    0 is always open, that of channel 1 only on frames that are not black.
    """
    kernel = np.zeros((2, 1, 3, 3), np.int64)
    kernel[0, 0, 1, 1], kernel[1, 0, 1, 1], kernel[1, 0, 1, 2] = 1, -1, 2
    data = {
        "@w0": kernel,
        "@a0": np.array([0.25, 0.25], np.float32),
        "@b0": np.zeros(2, np.float32),
        "@g": np.ones((2, 1), np.int64),
        "@t": np.array([-1, 0]),
        "@w1": np.ones((5, 8), np.int64),
    }
    return parse_graph(TEXT, data)


def frames() -> np.ndarray:
    """Return one sample of three frames: 8 at (0, 0), then 8 at (0, 1), then black.

    Charges that are not 0: at step 1 +2 and -2 at (0, 0); at step 2 +2 and -2 at (0, 1) and +4 in channel 1 at (0, 0).
    So channel 0 fires at (0, 0) and then at (0, 1), and channel 1 fires late at (0, 0), after a first potential of -2.
    """
    x = np.zeros((1, 3, 1, 4, 4), np.uint8)
    x[0, 0, 0, 0, 0] = x[0, 1, 0, 0, 1] = 8
    return x


def still() -> Graph:
    """Return the same network with direct coding: its input is one frame, the same at every step."""
    text = TEXT.replace("%x: uint8<1x4x4>)", "%x: uint8<1x4x4> @const)").replace("conv2d %x", "conv2d %c")
    text = text.replace("global_sum %x", "global_sum %c")
    text = text.replace("  %0: int32", "  %c: uint8<1x4x4> = repeat %x\n  %0: int32", 1)
    return parse_graph(text, dict(hand().data))
