"""The sentences of the page, and the small network that it shows."""

from __future__ import annotations

GRAPH = """\
graph small(%x: spike<2x4x4>) steps=4 {
  note input_encoding = "spikes"
  const @w: pot4<3x2x3x3>*0.125 @const
  const @theta: int9<3x3x3> @const
  const @head: int8<2x12>*0.0625 @const
  state $m: ternary<3x4x4>
  %n: int9<3x4x4>*0.125 = conv2d %x, @w {padding=1}  // features.0 (SpikingConv2d)
  %s: spike<3x4x4>, %m: ternary<3x4x4> = automaton %n, $m, @theta  // features.0 (SpikingConv2d)
  %p: uint3<3x2x2>*0.25 = sum_pool %s  // features.1 (SumPool2d)
  %f: uint3<12>*0.25 = flatten %p  // features.2 (Flatten)
  %y: int12<2>*0.015625 = linear %f, @head  // classifier (Classifier)
  next $m = %m
  return %y
}
"""

INTRODUCTION = """\
The intermediate representation (IR) of spqc is what frontends write, passes change, targets compile and artifacts
keep. It has two forms: a graph, which says what a network computes, and a program, which says besides how that is cut
into kernels and where values lie between them. Both are immutable data structures with a text, a verifier and an
interpreter, so that each pass can be checked by running what went in and what came out. [A model's way](walkthrough.md)
shows the IR after every pass, [CONTRIBUTING](../CONTRIBUTING.md) how to build and to change graphs."""

ORIGIN = """\
`make ir-reference` writes this page from the classes of the IR (`spqc/ir/`), and a test compares it with them: change
the docstring of an operator, or `bench/ir_reference`, and write it again."""

STEP = """\
**One graph is one time step.** The network runs it for t = 0 to steps - 1. All values are immutable, every value is
defined once and before it is read, and there are no loops and no branches. What lives from one step to the next is a
state: it is read as it was before the step, and `next $m = %m` names the value that it has at the following step. All
states are 0 at the first step. A cycle through time can be written, a cycle within a step cannot."""

NAMES = (
    "`%x` is a value: an input of the graph, or the result of an operator.",
    "`@w` is a constant. Its array is kept beside the text, in a `.npz`, or packed in an artifact.",
    "`$m` is a state. Membranes are states: the code of a stored level (its index, less the index of the level 0), "
    "or, for integer membranes, the number itself.",
)

TEXT = """\
**The text** can be parsed back to an equal graph (files end in `.tg`). A header names the network,
its inputs and the number of steps; then come notes, constants, states, operators in the order in which they run, the
next values of the states, and the results. An operator's line has its results with their types, its name, its operands
and, in braces, the attributes that differ from their defaults. Behind `//` stands the origin: its first word is the
name of the layer, by which `spqc verify`, `spqc analyze` and error messages call it."""

BATCH = """\
**Samples are no part of the graph.** Every operator is defined for one sample; the interpreter and targets run it for
N samples at a time. Inputs are arrays [N, T, ...], or [N, ...] where the input is constant in time."""

TYPES = """\
A type is written `pot4<2x1x3x3>*0.125 @const`: encoding `pot`, 4 bits an element, shape 2x1x3x3 with the channel
first, scale 0.125, clock `const`. Elements are integers, but for the encoding `float`."""

TYPE_PARTS = (
    "**Encoding and bits** say which integers an element may be. Bits are the width in which artifacts store constants "
    "and states; kernels may compute in wider registers. The result of a weighted sum may have any declared width: "
    "`narrow-accumulators` proves the narrowest from the actual weights.",
    "**Scale**: the real value is element times scale; 1 is not written. Scales are known when the model is read and "
    "never computed from data. A sum's scale is the product of the scales of its operands, an average pooling divides "
    "the scale and keeps the integer sum.",
    "**Clock**: `@const` is a value that time does not change; without it, a value has one array for each step. "
    "Constants are `@const`, and so is a still image; `repeat` gives a constant value at every step.",
    "**Sizes**: a text may name at most 2^28 elements a value and 2^20 steps; scales are positive and finite.",
)

ENCODINGS = """\
b is the number of bits. The elements of `pot` and `apot` are the integers of the grid, not their codes; in an artifact
they are stored as codes of b bits, a sign and the index of the magnitude (`spqc/ir/grids.py`)."""

NOTES = """\
A note is a key with a text that the compiler hands to the runtime. Passes keep notes and no operator reads them."""

NOTE_ROWS = (
    ("`input_encoding`", "what an input array holds: `spikes` (0, 1), `digits` (0 to 16), `pixels` (0 to 255)"),
    ("`coding`", "`direct`: one frame is shown at every step; `frames`: a frame a step"),
    ("`input_max`", "the largest code of the input, for proofs of ranges"),
    ("`levels.LAYER`, `low.LAYER`", "the real levels of a membrane, and the code of the lowest, for traces"),
    ("`weight_bits.NAME`", "the bits of a weight's grid, where its type stores it in fewer"),
    ("`logits_dtype`, `logit_scale`", "the float type and the scale in which integer logits become real ones"),
)

PROGRAM = """\
`form-kernels` cuts a graph into kernels and so makes a program of it (`spqc/ir/program.py`); further passes choose
where time runs (`fuse-time`), pack spikes (`pack-spikes`) and place the buffers (`plan-memory`). A target names the
passes of each form it wants (`lowerings`). Here is the graph above as the CPU target runs a whole window, without the
text of the
graph, with which every program ends:"""

PROGRAM_PARTS = (
    "**Kernels** run in order. A kernel is a region of operators that runs as one: a weighted sum, what follows it "
    "element by element (batch norm, residual, neuron), and a pooling of its spikes. `time=fused` runs all steps "
    "inside the kernel, so that states stay in registers; `stepped` runs one step, with states in memory; `once` runs "
    "once an inference, on constant values. With `skip=true`, tiles of channels behind a closed gate are not computed.",
    "**Buffers** hold the values that pass between kernels, for one sample: `bytes8` one byte an element and step, "
    "[t][pixel][channel]; `bits8`, `bits16` and `bits32` one container an element, bit t for step t, [pixel][channel]; "
    "`words32` and `words64` one integer an element and step. Channels are padded to multiples of 16.",
    "**The arena** is one block of memory; `at` is a buffer's first byte. Buffers whose lives do not overlap "
    "share bytes.",
    "**Views**: `flatten` and `repeat` copy nothing. Their result is another look at the buffer of their operand.",
    "**Meaning**: `spqc/ir/interpret_program.py` runs a program over bytes of an arena that was filled with garbage, "
    "so that a wrong layout, offset or lifetime gives a wrong result.",
)

RULES = (
    "every value is defined once, and before it is read;",
    "every operator has the operands that it needs, and its results have the types that it infers from them (or, for "
    "integer sums, another width);",
    "every state has one next value of its own type;",
    "a constant with an array has one of its shape, whose elements fit its encoding;",
    "there is at least one input, one result and one step.",
)

OPERATORS = """\
Every operator is a frozen dataclass in `spqc/ir/ops/`: its fields are its attributes, `infer` types its results,
`evaluate` is its meaning. C is the number of channels; [C, ...] is a map with any number of axes behind the channels.
The graph below each entry is verified, its results typed by the operator. `spqc list operators` prints the same
names."""
