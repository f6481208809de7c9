"""Which frontend reads a source: each is asked, and the surest reads it."""

from __future__ import annotations

import warnings

from spqc.foundation.errors import ModelError, Notice
from spqc.plugins import registry
from spqc.plugins.frontend import Frontend, Match, Source

_LONGEST_REASON = 200  # characters of what a plug-in says


def frontend_for(source: Source, name: str | None = None) -> Frontend:
    """Return the frontend called `name`, which is not asked; without a name, the one surest that it reads the source.

    Of several that are equally sure the first in the order of names reads it, and a Notice says so. UsageError for an
    unknown name; ModelError, with what each frontend says, where all decline.
    """
    if name is not None:
        return _created(name)
    answers = {known: _answer(known, source) for known in sorted(registry.available("frontends"))}
    surest = _surest(answers)
    if not surest:
        raise _declined(source, answers)
    if len(surest) > 1:
        equals = " and ".join(f"'{one}'" for one in surest)
        text = f"the frontends {equals} are equally sure that they read {source.label}; '{surest[0]}' does"
        warnings.warn(f"{text} (--frontend NAME chooses)", Notice, stacklevel=2)
    return _created(surest[0])


def _created(name: str) -> Frontend:
    plugin: type[Frontend] = registry.load("frontends", name)
    return plugin()


def _surest(answers: dict[str, Match]) -> list[str]:
    """Return the names with the greatest confidence, in order; none where all decline."""
    greatest = max((match.confidence for match in answers.values()), default=0.0)
    return [name for name, match in answers.items() if match.confidence == greatest > 0.0]


def _answer(name: str, source: Source) -> Match:
    """Return what a frontend says of a source; one that raises, or answers with anything else, declines."""
    try:
        answer: object = registry.load("frontends", name).matches(source)
    except Exception as error:  # somebody else's plug-in: its crash must not keep the others from reading the model
        return Match.no(f"raised {type(error).__name__}: {error}")
    if not isinstance(answer, Match):
        return Match.no(f"answered with a {type(answer).__name__} instead of a Match")
    return answer


def _declined(source: Source, answers: dict[str, Match]) -> ModelError:
    lines = "".join(f"\n  - {name} declined: {_one_line(match.reason)}" for name, match in answers.items())
    asked = f"{len(answers)} {'was' if len(answers) == 1 else 'were'} asked"
    hint = "--frontend NAME reads it with that one all the same; `spqc list frontends` says what each is for"
    return ModelError(f"no frontend reads this; {asked}:{lines}", source.label, hint)


def _one_line(text: str) -> str:
    """Return a text as one line that a terminal shows as it is."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(shown.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."
