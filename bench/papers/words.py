"""The sentences of the page; figures in braces are filled in."""

from __future__ import annotations

HEAD = """
Written by `make papers` from the model definitions; `spqc analyze NAME` shows each network layer by layer
([how](analyze.md)). MB are 10^6 bytes. *To the digit* allows a printed figure to be rounded or cut off. Figures of
ours are modelled on counts; nothing on this page was measured.
"""

NEURONS = """
A neuron is a stored membrane; MobileNet pools before its neurons, so that it has fewer than its convolutions have
outputs (156 672).
"""

RECONSTRUCTED = """
by construction: the layout was chosen to have them; the public one (`--set form=released`) has another number
"""

MOBILENET = """
this is the network of SpQuant-SNN's file; that of LT-SNN has other widths, and depthwise convolutions that lack their
groups
"""

NORMS = "reported with biases and batch norms"

FORMS = """
`w N_w + (u + s) N_f` bits, for N_w weights of w bits and N_f neurons with u bits of state. The equation as the paper
words it has s = 1, a spike (`literal`). The published totals do not come out so: they count a buffer for the outputs
of the convolutions, 32 bits a neuron in the baseline and 8 when quantised, and charge 2 bits for a ternary state
(`published`). When the time loop runs inside a layer's kernel there is no such buffer, and spikes take 1 bit
(`fused`, over the published baseline).
"""

BOUNDS = "In the published form the ratio lies between bounds, whatever the network: {bounds}."

PROGRAMS = """
What the lowered programs hold for one inference: constants at their true widths (the classifier's 8 bits and the
neurons' tables included) and one arena, in which the spikes of all T steps of a layer lie; no membrane is stored.
These figures change with the compiler.
"""

VGG9_HEAD = """
the public 10-way classifier has 46 080 weights; the printed figure needs about a million more, as a hidden layer of
512 would have
"""

VGG9_TOTAL = """
{parts:.2f} is what the printed parts add up to with a buffer as large as the membranes: 48.58 looks like a slip of
48.48; the rest is the classifier above
"""

RESNET19_MIXED = """
the table charges the baseline for 1.376 M neurons and the quantised network for 1.0 M; ours has as many in both
"""

SPIKFORMER_LABEL = """
9.62 MB at 8 bits are 9.62 M weights: the row is labelled 4-256 ({small:.2f} M) and is close to 4-384 ({large:.2f} M)
"""

BOUND = """
cannot be reached: with 4-bit weights the ratio lies between {least:g} and {most:g}, whatever the network; {mixed:.3f}
comes out if the quantised network alone is charged for 1.0 M neurons
"""

EIGHT = "only 8-bit weights allow it: then the ratio lies between {least:g} and {most:g}"

FACTORS = """
Dense over sparse is `1 / ((1 - S_c)(1 - S_p))`. The factors cannot be computed without the trained gates; with the
published {spatial:.0f} % of masked neurons (S_p), each implies which share of the channels (S_c) was shut.
"""

MEMBRANES = """
Membrane updates are {share:.2f} % of VGG-9's operations. The rate of the spikes is not in these factors. A mask that
a layer computes from its own output saves that layer nothing in a compiled kernel; a channel gate, which is known
before, does: `spqc analyze` prints Eq 30, the counter of the released code and what our dense kernels execute.
"""

ENERGY = """
Additions only, every synapse counted, no firing rate, BitNet's energies at 7 nm: modelled. The paper's table 10 was
not available, so that these are predictions and not comparisons.
"""

CONSTANTS = """
The constants of `spqc analyze`. Those of evidence `code` were read in public source; `recall` were not read again.
"""

ACE = "Only the abstract was available. What its figures imply, without any network:"

SHARES = """
A spiking network pays its first layer like the CNN, so that its gain over a CNN of the same bits is at most one over
that layer's share; the published mean of {gain:g} must come from CNN-32H. The last column is how often an input
neuron may fire over all steps for that gain, if an accumulation takes 0.03 pJ.
"""

UNREACHABLE = (
    "**8.13x for ResNet-19** {bound}.",
    "**48.58 MB for VGG-9**: its own parts add up to 48.48.",
    "**41.12 MB of VGG-9's weights**: they need a head that the released code does not have.",
    "**The Spikformer row**: labelled 4-256, but with the weights of about 4-384.",
    "**VGG-7 and VGG-11**: the public layouts do not have the weights reported; ours are reconstructed.",
    """**Accuracies**, mean average precision and the 6.35 % of neurons that fire late: they need the data sets and
    days of training. [Ablations](ablations.md) show trends on small data; `spqc analyze` does Eq 5 and 6 on any
    model.""",
    "**Tables 1 to 6, 9 and 10** of SpQuant-SNN, and the constants of ACE-SNN's memory model: not available.",
)
