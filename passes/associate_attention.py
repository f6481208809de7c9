"""Attention without a softmax is a product of three matrices: form first the product that makes the whole cheaper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from spqc.ir import Graph, Op
from spqc.ir.ops import Attention
from spqc.ir.rewrite import map_ops
from spqc.plugins.passes import Module, Pass


@dataclass(frozen=True)
class AssociateAttention(Pass):
    """Form K^T V before Q where a head has fewer channels than there are tokens, else Q K^T before V."""

    name: ClassVar[str] = "associate-attention"

    def run(self, module: Module) -> Module:
        return map_ops(module, _associated) if isinstance(module, Graph) else module


def _associated(op: Op) -> Op:
    if not isinstance(op, Attention):
        return op
    return min((replace(op, first="qk"), replace(op, first="kv")), key=lambda form: form.macs)


PLUGIN = AssociateAttention
