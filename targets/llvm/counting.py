"""Counts the kernels of a program as the CPU would run them; nothing is compiled, and TVM is asked for names alone."""

from __future__ import annotations

from dataclasses import replace

from spqc.cost.kernel_counts import count_kernels
from spqc.ir import Graph
from spqc.ir.program import Program
from spqc.plugins.pricing import KernelCount
from spqc.plugins.target import Advice
from spqc.targets._plan.choice import site
from spqc.targets._plan.constants import Constants
from spqc.targets._plan.machine import Machine

from .cpu import host_features
from .strategies import chooser

HOST = "host"


def count(graph: Graph, program: Program, advice: Advice, machine: Machine, wanted: str) -> list[KernelCount]:
    """Return the counts of every kernel, with the features of the strategy that is chosen for it."""
    constants, choice_of, features = Constants(graph, program.layout.tile), {}, {}
    for kernel in program.kernels:
        one = site(program, kernel, machine, constants, advice)
        if one is not None:
            choice = chooser().choose(one, wanted, advice)
            choice_of[kernel.name] = choice.strategy
            features[kernel.name] = chooser().strategies[choice.strategy].features(one, choice.settings)
    counts = count_kernels(program, advice.chances, choice_of)
    return [replace(one, features=features.get(one.kernel, {})) for one in counts]


def machine_of(cpu: str, threads: int, advice: Advice) -> Machine:
    """Return the machine of a target's options.

    This machine's features are those that Linux shows. LLVM, and so TVM, is asked only for what it alone knows: another
    processor's features, and the name under which rates were fitted on this one.
    """
    if cpu == HOST and not advice.rates:
        return Machine(host_features(), threads)
    from .compile import machine_target

    target, features = machine_target(cpu)
    return Machine(frozenset(features), threads, str(target.attrs["mcpu"]))
