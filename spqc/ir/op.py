"""What an operator is: a frozen dataclass with its types, its check and its meaning."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from spqc.foundation.errors import GraphError, SpqcError
from spqc.foundation.options import format_value

from .types import Array, Clock, Type
from .value import Value

OPERATORS: dict[str, type[Op]] = {}


@dataclass(frozen=True)
class Op:
    """A pure operator. Fields after the first three are its attributes.

    `origin` is where it comes from in the user's model, e.g. `features.4 (SpikingConv2d)`.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    origin: str

    name: ClassVar[str]
    operands: ClassVar[int | None] = None
    """How many values it reads; None where it checks that itself."""

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            OPERATORS[cls.name] = cls

    def attributes(self) -> dict[str, Any]:
        """Return the attributes that differ from their defaults, by name: those that the text shows."""
        own = dataclasses.fields(self)[3:]
        return {f.name: getattr(self, f.name) for f in own if getattr(self, f.name) != f.default}

    def __str__(self) -> str:
        left = ", ".join(map(str, self.outputs))
        attributes = ", ".join(f"{k}={format_value(v)}" for k, v in self.attributes().items())
        right = f"{self.name} {', '.join(v.name for v in self.inputs)}" + (f" {{{attributes}}}" if attributes else "")
        return f"{left} = {right}" + (f"  // {self.origin}" if self.origin else "")

    @property
    def out(self) -> Value:
        """The first result."""
        return self.outputs[0]

    def type_of(self, index: int) -> Type:
        """Return the type of an operand."""
        return self.inputs[index].type

    @property
    def macs(self) -> int:
        """How many multiply-accumulates a dense evaluation takes, for one sample; 0 where it multiplies no sums."""
        return 0

    def infer(self) -> tuple[Type, ...]:
        """Return the types of the results, or raise GraphError when the operands do not fit."""
        raise NotImplementedError  # every operator defines it

    def evaluate(self, *arrays: Array) -> tuple[Array, ...]:
        """Return the results for operands with a leading batch axis (constants have none): the meaning."""
        raise NotImplementedError  # every operator defines it

    def accepts(self, declared: Type, index: int) -> bool:
        """Return whether result `index` may be declared so: as inferred, unless an operator allows wider ones."""
        return declared == self.infer()[index]

    def verify(self) -> None:
        """Raise GraphError where a result's declared type is not what the operator gives."""
        self.need(self.operands in (None, len(self.inputs)), f"reads {self.operands} operands, not {len(self.inputs)}")
        self.need(bool(self.outputs), "gives a result, which has no name")
        try:
            wanted = self.infer()
        except GraphError:
            raise
        except SpqcError as error:
            self.fail(error.message, error.hint)
        except (LookupError, ArithmeticError, ValueError, TypeError, MemoryError) as error:
            self.fail(f"cannot have these operands and attributes: {error}")
        if len(wanted) != len(self.outputs):
            self.fail(f"gives {len(wanted)} results, not {len(self.outputs)}")
        for index, (value, type_) in enumerate(zip(self.outputs, wanted, strict=True)):
            if not self.accepts(value.type, index):
                self.fail(f"gives {type_}, not {value.type}")

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise a GraphError at this operator; the message follows its name."""
        where = f"{self.origin}: {str(self).partition('  //')[0]}" if self.origin else str(self)
        raise GraphError(f"'{self.name}' {message}", where, hint)

    def need(self, condition: bool, message: str, hint: str = "") -> None:
        """Raise a GraphError at this operator where a condition does not hold; the message follows its name."""
        if not condition:
            self.fail(message, hint)


def joined_clock(*types: Type) -> Clock:
    """Return `const` when every operand is constant in time."""
    return "const" if all(t.clock == "const" for t in types) else "step"
