"""What users run today: each peer turns a graph into a call on float frames, on a given number of threads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.ir import Graph

Frames = npt.NDArray[np.float32]  # [T*N, ...], or [N, ...] for a static input
Call = Callable[[Frames], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Setting:
    """What a peer prepares for; `examples` calibrate its quantisation."""

    graph: Graph
    batch: int
    threads: int
    examples: list[Frames]


@dataclass(frozen=True)
class Peer:
    """One competitor; `make` may raise ImportError where it is not installed, ValueError where it cannot serve."""

    name: str
    package: str
    make: Callable[[Setting], Call]

    @property
    def version(self) -> str:
        try:
            return version(self.package)
        except PackageNotFoundError:
            return "not installed"


def _eager(setting: Setting) -> Call:
    from .torch_form import TorchForm

    return _torch_call(TorchForm(setting.graph).eval(), setting.threads)


def _compiled(setting: Setting) -> Call:
    import torch
    from torch._inductor import config

    from .torch_form import TorchForm

    config.freezing = True
    torch.set_num_threads(setting.threads)
    torch._dynamo.reset()
    return _torch_call(torch.compile(TorchForm(setting.graph).eval()), setting.threads)


def _spikingjelly(setting: Setting) -> Call:
    from spikingjelly.activation_based import functional, neuron

    from .torch_form import TorchForm

    class Multi(neuron.LIFNode):  # type: ignore[misc]
        """Its own multi-step neuron on a float membrane: the function differs from ours, the work does not."""

        def __init__(self, op: Any, steps: int) -> None:
            super().__init__(tau=2.0, decay_input=False, v_threshold=op.threshold, v_reset=0.0, step_mode="m")
            self.window = steps

        def forward(self, x: Any) -> Any:
            return super().forward(x.unflatten(0, (self.window, -1))).flatten(0, 1)

    net = TorchForm(setting.graph, Multi).eval()
    run = _torch_call(net, setting.threads)

    def call(x: Frames) -> npt.NDArray[np.float32]:
        functional.reset_net(net)
        return run(x)

    return call


def _torch_call(module: Any, threads: int) -> Call:
    import torch

    def call(x: Frames) -> npt.NDArray[np.float32]:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(x)).numpy())

    return call


def _ort(setting: Setting) -> Call:
    from .onnx_form import OnnxForm

    return _ort_call(OnnxForm(setting.graph, setting.batch).model.SerializeToString(), setting.threads)


def _ort_int8(setting: Setting) -> Call:
    """Its own static quantisation: QDQ, weights per channel, calibrated on examples."""
    from onnxruntime import quantization as q

    from .onnx_form import OnnxForm

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{"x": x} for x in setting.examples])

        def get_next(self) -> Any:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        plain, quantised = Path(folder, "plain.onnx"), Path(folder, "int8.onnx")
        plain.write_bytes(OnnxForm(setting.graph, setting.batch).model.SerializeToString())
        kinds = ["Conv", "Gemm", "MatMul"]
        q.quantize_static(plain, quantised, Reader(), op_types_to_quantize=kinds, per_channel=True)
        return _ort_call(quantised.read_bytes(), setting.threads)


def _ort_call(model: bytes, threads: int) -> Call:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda x: np.asarray(session.run(None, {"x": x})[0])


def _openvino(setting: Setting) -> Call:
    from .onnx_form import OnnxForm

    return _openvino_call(OnnxForm(setting.graph, setting.batch).model.SerializeToString(), setting.threads)


def _openvino_int8(setting: Setting) -> Call:
    """Exact 8-bit codes around every sum: no calibration error, and the fastest integer form it has."""
    from .onnx_form import OnnxForm

    return _openvino_call(
        OnnxForm(setting.graph, setting.batch, integer=True).model.SerializeToString(), setting.threads
    )


def _openvino_call(model: bytes, threads: int) -> Call:
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(model, b""), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda x: np.array(request.infer([x], share_inputs=True, share_outputs=True)[0])


PEERS = (
    Peer("eager", "torch", _eager),
    Peer("compile", "torch", _compiled),
    Peer("spikingjelly", "spikingjelly", _spikingjelly),
    Peer("ort-fp32", "onnxruntime", _ort),
    Peer("ort-int8", "onnxruntime", _ort_int8),
    Peer("openvino-fp32", "openvino", _openvino),
    Peer("openvino-int8", "openvino", _openvino_int8),
)
