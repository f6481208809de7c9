"""Energy of one inference in three conventions; each figure says what it counts, its kind and its constants.

eq31: SpQuant-SNN Eq 31, `E_add N_add`, every synapse counted, at 45 and 7 nm, in floats and in 8-bit integers.
syops: what Spikformer and syops-counter use, `4.6 pJ MAC_1 + 0.9 pJ sum r_l T MAC_l`, r_l the rate of a layer's inputs.
bit-level: additions at the width of the accumulator for inputs that are not 0 (and multiplications, where a layer reads
a multi-bit input: once a window if that is constant), and every stored state read and written once a step in the
smallest tabulated memory that holds the states of the layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .account import Account, LayerAccount
from .constants import Constant, addition, constant, memory_access, multiplication
from .counts import LayerOperations
from .prices import priced


@dataclass(frozen=True)
class Energy:
    """One figure. operations: what was counted; kind: `modelled` on counts alone, or on `measured` rates.

    Nothing here was measured in joules: `modelled from measured rates` says that the counts come from real inputs.
    """

    convention: str
    what: str
    operations: float
    energy_mj: float
    kind: str
    sources: tuple[str, ...]


_PJ_PER_MJ = 1e9
_COUNTS = "modelled"
_RATES = "modelled from measured rates"
_ASSUMED = "modelled from an assumed rate"


def eq31(operations: Sequence[LayerOperations]) -> list[Energy]:
    """Return Eq 31 at both nodes: dense in floats, dense in 8-bit integers, and masked (Eq 30) in 8-bit integers."""
    dense, masked = sum(o.dense for o in operations), sum(o.eq30 for o in operations)
    cases = [("dense, 32-bit floats", "fp32_add", float(dense)), ("dense, 8-bit integers", "int8_add", float(dense))]
    if masked != dense:
        cases.append(("masked, 8-bit integers", "int8_add", masked))
    membrane = sum(o.membrane for o in operations)
    cases.append(("membranes alone, 8-bit integers", "int8_add", float(membrane)))
    return [
        _energy(f"eq31 {node} nm", what, count, constant(f"{name}_{node}"), _COUNTS)
        for node in (7, 45)
        for what, name, count in cases
    ]


def syops(account: Account, operations: Sequence[LayerOperations], rate: float | None = None) -> list[Energy]:
    """Return the convention of Spikformer; [] where no rate was measured and none is assumed.

    The layers that read multi-bit inputs multiply: once a window where the input is constant, else at every step.
    """
    mac, ac, first, others = constant("fp32_mac_45"), constant("fp32_ac_45"), 0.0, 0.0
    for layer, counts in zip(account.layers, operations, strict=True):
        if layer.reads_input and account.input_bits > 1:
            first += layer.macs * (1 if layer.constant else account.steps)
        elif counts.synaptic is None and rate is None:
            return []
        else:
            others += counts.dense * rate if counts.synaptic is None and rate is not None else counts.synaptic or 0.0
    measured = all(o.synaptic is not None for o in operations)
    energy = priced({"mac": first, "ac": others}, {"mac": mac.pj, "ac": ac.pj}) / _PJ_PER_MJ
    kind = _RATES if measured else _ASSUMED
    return [Energy("syops", "32-bit floats at 45 nm", first + others, energy, kind, (str(mac), str(ac)))]


def bit_level(
    account: Account, operations: Sequence[LayerOperations], widths: Mapping[str, int], rate: float | None = None
) -> list[Energy]:
    """Return synaptic operations at the accumulators' `widths` (32 bits where unknown), and the traffic of states."""
    energy, count, ways = 0.0, 0.0, set()
    for layer, counts in zip(account.layers, operations, strict=True):
        if counts.synaptic is None and rate is None:
            return []
        done = counts.synaptic if counts.synaptic is not None else counts.dense * (rate or 0.0)
        multiplies = layer.reads_input and account.input_bits > 1
        done = done / account.steps if multiplies and layer.constant else done
        parts = _parts(layer, account, widths, multiplies)
        energy += priced({what: done for *_, what in parts}, {what: pj for _, (pj, _), what in parts})
        ways |= {f"{bits}-bit {what} {pj:.4g} pJ at 45 nm ({way})" for bits, (pj, way), what in parts}
        count += done
    measured = all(o.synaptic is not None for o in operations)
    traffic, memories = _traffic(account)
    accesses = 2.0 * account.neurons * account.steps
    return [
        Energy(
            "bit-level",
            "synaptic operations at accumulator width",
            count,
            energy / _PJ_PER_MJ,
            _RATES if measured else _ASSUMED,
            tuple(sorted(ways)),
        ),
        Energy("bit-level", "states read and written", accesses, traffic / _PJ_PER_MJ, _COUNTS, memories),
    ]


def _parts(
    layer: LayerAccount, account: Account, widths: Mapping[str, int], multiplies: bool
) -> list[tuple[int, tuple[float, str], str]]:
    """Return what one synaptic operation of a layer takes: width, energy and how it was found, and its name."""
    bits = widths.get(layer.layer, 32)
    parts = [(bits, addition(bits), "addition")]
    if multiplies:
        product = max(layer.weight_bits, account.input_bits)
        parts.append((product, multiplication(product), "multiplication"))
    return parts


def _traffic(account: Account) -> tuple[float, tuple[str, ...]]:
    """Return the pJ of reading and writing every state once a step, and the memories charged."""
    total, used = 0.0, {}
    for layer in (one for one in account.layers if one.neurons):
        memory = memory_access(layer.neurons * layer.state_bits)
        total += 2 * account.steps * layer.neurons * layer.state_bits * memory.pj / 64
        used[memory.name] = str(memory)
    return total, tuple(used.values())


def _energy(convention: str, what: str, count: float, one: Constant, kind: str) -> Energy:
    return Energy(convention, what, count, priced({what: count}, {what: one.pj}) / _PJ_PER_MJ, kind, (str(one),))
