"""The network as an ONNX model: float32, or with exact 8-bit quantise-dequantise pairs around every weighted sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from spqc.ir import Graph
from spqc.ir.levels import midpoints

from .form import Floats, hoisted, pair, walk


class OnnxForm:
    """Collects nodes; `model` is the finished model with input `x` [T*N, ...] and output `logits` [T*N, classes]."""

    def __init__(self, graph: Graph, batch: int, *, integer: bool = False) -> None:
        self.graph, self.integer, self.steps = graph, integer, graph.steps
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.static = graph.inputs[0].type.clock == "const"
        self.rows = batch * (1 if self.static else graph.steps)
        result = walk(hoisted(graph), self)
        self._node("Identity", [result], "logits")
        shape = [self.rows, *graph.inputs[0].type.shape]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        classes = graph.outputs[0].type.shape[0]
        y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch * graph.steps, classes])
        made = helper.make_graph(self.nodes, graph.name, [x], [y], self.constants)
        self.model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(self.model)

    def input(self) -> str:
        return "x"

    def repeat(self, x: str) -> str:
        return self._node("Concat", [x] * self.steps, axis=0)

    def conv(self, x: str, weight: Floats, bias: Floats | None, op: Any) -> str:
        stride, padding = pair(op.stride), pair(op.padding)
        inputs = [self._codes(x), self._weight(weight, op.inputs[1].name)]
        inputs += [] if bias is None else [self._constant(bias)]
        return self._node("Conv", inputs, strides=stride, pads=[*padding, *padding], group=op.groups)

    def linear(self, x: str, weight: Floats, bias: Floats | None) -> str:
        inputs = [self._codes(x), self._weight(weight, "")]
        inputs += [] if bias is None else [self._constant(bias)]
        return self._node("Gemm", inputs, transB=1)

    def affine(self, x: str, gain: Floats, offset: Floats, rank: int) -> str:
        shape = (-1, *(1,) * (rank - 1))
        scaled = x if (gain == 1).all() else self._node("Mul", [x, self._constant(gain.reshape(shape))])
        return self._node("Add", [scaled, self._constant(offset.reshape(shape))])

    def add(self, x: str, y: str, scale: float) -> str:
        other = y if scale == 1.0 else self._node("Mul", [y, self._scalar(scale)])
        return self._node("Add", [x, other])

    def neuron(self, x: str, op: Any) -> str:
        """Unroll the steps: slices of the folded batch, one charge, comparison and quantiser each."""
        scale = getattr(op, "input_scale", 1.0)
        current = x if scale == 1.0 else self._node("Mul", [x, self._scalar(scale)])
        parts = [self._name() for _ in range(self.steps)]
        self.nodes.append(helper.make_node("Split", [current], parts, axis=0))
        state, spikes = None, []
        for part in parts:
            charged = part if state is None else self._node("Add", [part, self._leaked(state, op)])
            fired = self._node("GreaterOrEqual", [charged, self._scalar(op.threshold)])
            spikes.append(self._node("Cast", [fired], to=TensorProto.FLOAT))
            state = self._quantised(self._node("Where", [fired, self._scalar(0.0), charged]), op)
        return self._node("Concat", spikes, axis=0)

    def sum_pool(self, x: str, op: Any) -> str:
        kernel, stride = pair(op.kernel), pair(op.stride)
        mean = self._node("AveragePool", [x], kernel_shape=kernel, strides=stride)
        return self._node("Mul", [mean, self._scalar(float(kernel[0] * kernel[1]))])

    def max_pool(self, x: str, op: Any) -> str:
        kernel, stride, padding = pair(op.kernel), pair(op.stride), pair(getattr(op, "padding", 0))
        return self._node("MaxPool", [x], kernel_shape=kernel, strides=stride, pads=[*padding, *padding])

    def global_sum(self, x: str) -> str:
        return self._node("ReduceSum", [x, self._constant(np.array([2, 3], np.int64))], keepdims=0)

    def flatten(self, x: str) -> str:
        return self._node("Flatten", [x], axis=1)

    def attention(self, x: list[str], op: Any) -> str:
        channels, height, width = op.inputs[0].type.shape
        split = self._constant(np.array([0, op.heads, channels // op.heads, height * width], np.int64))
        joined = self._constant(np.array([0, channels, height, width], np.int64))
        q, k, v = (self._node("Reshape", [part, split]) for part in x)
        weighed = self._node("MatMul", [v, self._node("Transpose", [k], perm=[0, 1, 3, 2])])
        return self._node("Reshape", [self._node("MatMul", [weighed, q]), joined])

    def _leaked(self, state: str, op: Any) -> str:
        return self._node("Mul", [state, self._scalar(op.leak)])

    def _quantised(self, rest: str, op: Any) -> str:
        total = None
        for (middle, _), low, high in zip(midpoints(op.levels, op.ties), op.levels, op.levels[1:], strict=False):
            above = self._node("Cast", [self._node("Greater", [rest, self._scalar(middle)])], to=TensorProto.FLOAT)
            step = above if high - low == 1.0 else self._node("Mul", [above, self._scalar(high - low)])
            total = step if total is None else self._node("Add", [total, step])
        return self._node("Add", [total or rest, self._scalar(op.levels[0])])

    def _codes(self, x: str) -> str:
        """Return the input of a sum: as it is, or through 8-bit codes of scale 1, which changes no value."""
        if not self.integer:
            return x
        scale, zero = self._scalar(1.0), self._constant(np.array(0, np.uint8))
        return self._node("DequantizeLinear", [self._node("QuantizeLinear", [x, scale, zero]), scale, zero])

    def _weight(self, weight: Floats, name: str) -> str:
        """Return the folded weights; as integers they keep the model's own codes, and the scale takes the gain."""
        if not self.integer:
            return self._constant(weight)
        flat = np.abs(weight.reshape(len(weight), -1))
        if name:  # the gain of each channel is the ratio to the model's own integer codes
            own = self.graph.data[name].astype(np.float32)
            magnitude = np.abs(own.reshape(len(own), -1)).max(axis=1)
            scale = np.where(magnitude > 0, flat.max(axis=1) / np.maximum(magnitude, 1), 1.0).astype(np.float32)
        else:
            scale = np.ones(len(weight), np.float32)
        integers = np.rint(weight / np.where(scale > 0, scale, 1).reshape(-1, *(1,) * (weight.ndim - 1)))
        if np.abs(integers).max(initial=0) > 127:
            raise ValueError("the weights do not fit 8 bits")
        codes, zero = self._constant(integers.astype(np.int8)), self._constant(np.zeros(len(weight), np.int8))
        return self._node("DequantizeLinear", [codes, self._constant(scale), zero], axis=0)

    def _node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or self._name()
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _scalar(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def _name(self) -> str:
        self.names = getattr(self, "names", 0) + 1
        return f"v{self.names}"
