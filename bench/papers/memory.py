"""Memory: the table of SpQuant-SNN's released code, and the ratios of its text."""

from __future__ import annotations

from spqc.cost.account import Account
from spqc.cost.memory import MemoryForm, memory_forms, ratio_bounds

from . import words
from .markdown import line
from .networks import NETWORKS, account
from .published import figure
from .rows import Row, compare

FUSED = ("vgg9", "resnet19", "resnet34", "yolov2")


def conv_weights(network: Account) -> int:
    """Return the weights of the convolutions and of the projections of residuals, which the tables count alone."""
    return sum(layer.weights for layer in network.layers if layer.kind.startswith("conv"))


def forms(key: str, weight_bits: int | None = None) -> dict[str, MemoryForm]:
    """Return the three forms of a network by name."""
    return {form.form: form for form in memory_forms(account(key), weight_bits)}


def table_rows() -> list[Row]:
    """Return the rows of the released table."""
    return [*_vgg9(), *_resnet19(), *_spikformer()]


def _vgg9() -> list[Row]:
    form = forms("vgg9")["published"]
    floats, quantised = form.baseline, form.quantised
    slip = words.VGG9_TOTAL.format(parts=figure("vgg9.float.weights_mb") + 2 * figure("vgg9.float.states_mb"))
    return [
        _mb("VGG-9, 32 bits: weights", "vgg9.float.weights_mb", floats.weight_mb, words.VGG9_HEAD),
        _mb("VGG-9, 32 bits: membranes", "vgg9.float.states_mb", floats.state_mb),
        _mb("VGG-9, 32 bits: total", "vgg9.float.total_mb", floats.mb, slip),
        _mb("VGG-9, 2 bits: weights", "vgg9.quant.weights_mb", quantised.weight_mb, words.VGG9_HEAD),
        _mb("VGG-9, 2 bits: membranes", "vgg9.quant.states_mb", quantised.state_mb),
        _mb("VGG-9, 2 bits: total", "vgg9.quant.total_mb", quantised.mb, "the classifier above"),
    ]


def _resnet19() -> list[Row]:
    form, convolutions = forms("resnet19")["published"], conv_weights(account("resnet19"))
    floats, weights = 4e-6 * convolutions, convolutions * 4 / 8e6
    states, quantised = form.baseline.state_mb, form.quantised
    total, mixed = weights + quantised.state_mb + quantised.buffer_mb, words.RESNET19_MIXED
    parts = "a buffer as large as the membranes; the table adds its cut-off parts"
    return [
        _mb("ResNet-19, 32 bits: weights", "resnet19.float.weights_mb", floats, "convolutions only"),
        _mb("ResNet-19, 32 bits: membranes", "resnet19.float.states_mb", states, digits=1),
        _mb("ResNet-19, 32 bits: total", "resnet19.float.total_mb", floats + 2 * states, parts),
        _mb("ResNet-19, 4 bits: weights", "resnet19.quant.weights_mb", weights),
        _mb("ResNet-19, 4 bits: membranes", "resnet19.quant.states_mb", quantised.state_mb, mixed),
        _mb("ResNet-19, 4 bits: total", "resnet19.quant.total_mb", total, mixed),
    ]


def _spikformer() -> list[Row]:
    form = forms("spikformer-4-256")["published"].quantised
    small, large = (account(f"spikformer-4-{width}").weights / 1e6 for width in (256, 384))
    label = words.SPIKFORMER_LABEL.format(small=small, large=large)
    rest = "follows from the weights; how the rest adds up to the total is not known"
    return [
        _mb("Spikformer-4-256, 8 bits: weights", "spikformer.quant.weights_mb", form.weight_mb, label),
        _mb("Spikformer-4-256, 8 bits: membranes", "spikformer.quant.states_mb", form.state_mb, tolerance=0.05),
        _mb("Spikformer-4-256, 8 bits: total", "spikformer.quant.total_mb", form.mb, rest),
    ]


def _mb(what: str, key: str, ours: float, why: str = "", *, digits: int = 2, tolerance: float = 0.01) -> Row:
    return compare(what, key, ours, digits, tolerance, " MB", why)


def ratio_rows() -> list[Row]:
    """Return the compression ratios of the text, in the form of the tables."""
    pooled, bare = (forms(key, 8)["published"].ratio for key in ("resnet34-pool", "resnet34"))
    least, most = ratio_bounds(8)
    eight, meant = words.EIGHT.format(least=least, most=most), "which network is meant is our guess"
    head = f"{_ratio_of_printed_weights():.2f} with the printed 41.12 MB of weights"
    convolutions = f"{_conv_ratio('yolov2'):.2f} with the convolutions' weights alone"
    return [
        _ratio("VGG-9, 2 bits", "vgg9", forms("vgg9")["published"].ratio, 0.025, head, digits=0),
        _ratio("ResNet-19, 4 bits", "resnet19", forms("resnet19")["published"].ratio, 0.01, bound_text()),
        _ratio("static images: ResNet-34, 4 bits", "static", forms("resnet34")["published"].ratio, 0.01, meant),
        _ratio("ImageNet: ResNet-34, 8 bits, with the stem's max pool", "imagenet", pooled, 0.09, eight),
        _ratio("ImageNet: ResNet-34, 8 bits, without", "imagenet", bare, 0.09, "as the released code builds it"),
        _ratio("YOLOv2 on Gen1, 4 bits", "yolo", forms("yolov2")["published"].ratio, 0.05, convolutions),
    ]


def _ratio(what: str, key: str, ours: float, tolerance: float, why: str, *, digits: int = 2) -> Row:
    return compare(what, f"ratio.{key}", ours, digits, tolerance, "x", why)


def bound_text() -> str:
    """Return why the ratio printed for ResNet-19 cannot be reached."""
    least, most = ratio_bounds(4)
    return line(words.BOUND.format(least=least, most=most, mixed=mixed_ratio()))


def _ratio_of_printed_weights() -> float:
    form, weights = forms("vgg9")["published"], figure("vgg9.float.weights_mb")
    ours = form.baseline.mb - form.baseline.weight_mb + weights
    return ours / (form.quantised.mb - form.quantised.weight_mb + weights * 2 / 32)


def mixed_ratio() -> float:
    """Return ResNet-19's ratio with the neurons that the table's 0.25 MB of 2-bit states mean."""
    floats, neurons = 4e-6 * conv_weights(account("resnet19")), figure("resnet19.quant.states_mb") * 4
    baseline = floats + 8e-6 * account("resnet19").neurons
    return baseline / (floats / 8 + neurons / 4 + neurons)


def _conv_ratio(key: str) -> float:
    """Return the published form's ratio with the weights of the convolutions alone."""
    network, bits = account(key), NETWORKS[key].options["weight_bits"]
    weights, neurons = conv_weights(network), network.neurons
    return float((4 * weights + 8 * neurons) / (weights * bits / 8 + neurons / 4 + neurons))
