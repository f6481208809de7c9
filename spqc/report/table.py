"""Tables and sentences of a given width whose words stay whole: wrapped at spaces, laid out in parts, or too long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

Cell = str | Text
"""A text as it is, brackets included, or one with a style."""

_GAP = 2
_LEAST_SENTENCE = 20


def wrapped(text: str, width: int, indent: str = "", taken: int = 0) -> list[str]:
    """Return the lines of a text, broken at spaces; a word that is longer than `width` has a line of its own.

    indent: put before every line but the first, of which `taken` cells are not free.
    """
    lines: list[str] = []
    line, *words = text.split(" ")
    for word in words:
        used = cell_len(line) + (0 if lines else taken)
        if used + 1 + cell_len(word) > width and line.strip():
            lines.append(line)
            line = indent + word
        else:
            line = f"{line} {word}"
    return [*lines, line]


def sentence(text: str, width: int, indent: str, taken: int = 0) -> list[str]:
    """Return the lines of a text on a terminal: as `wrapped`, but never in a narrow column beside a wide indent."""
    return wrapped(text, width, indent if width - len(indent) >= _LEAST_SENTENCE else "  ", taken)


def table(
    head: Sequence[str], rows: Iterable[Sequence[Cell]], right: Sequence[str], width: int, keys: int = 1
) -> list[Text]:
    """Return the lines of a table; the columns named in `right` are numbers, whose cells are never broken.

    Where the columns are too many for `width`, some come below the others, behind the first `keys` columns again.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    columns = [_Column(title, title in right, [row[index] for row in cells]) for index, title in enumerate(head)]
    lines: list[Text] = []
    for part in _parts(columns, width, keys):
        lines += _laid_out(part, width, len(cells), titled=any(head))
    return lines


class _Column:
    """A title and its cells, and how wide they are: `least` without breaking a word, `most` without breaking at all."""

    def __init__(self, title: str, right: bool, cells: list[Text]) -> None:
        self.title, self.right, self.cells = title, right, cells
        plain = [cell.plain for cell in cells]
        self.most = max(map(cell_len, (title, *plain)))
        words = (word for text in (title, *([] if right else plain)) for word in text.split(" "))
        self.least = max(map(cell_len, (*words, *(plain if right else ()))))

    def lines(self, cell: Text, width: int) -> list[Text]:
        """Return the lines of a cell, padded to `width`."""
        lines = []
        for line in wrapped(cell.plain, width):
            space = " " * (width - cell_len(line))
            lines.append(Text(space + line if self.right else line + space, cell.style))
        return lines


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _parts(columns: list[_Column], width: int, keys: int) -> Iterator[list[_Column]]:
    """Yield the columns of each table: all, or as many as fit behind the first `keys`."""
    first, rest = columns[:keys], columns[keys:]
    part: list[_Column] = []
    for column in rest:
        if part and _least(first + part + [column]) > width:
            yield first + part
            part = []
        part.append(column)
    yield first + part


def _least(columns: list[_Column]) -> int:
    return sum(column.least for column in columns) + _GAP * (len(columns) - 1)


def _widths(columns: list[_Column], width: int) -> list[int]:
    """Return the width of each column: what is left beside the least goes, by ones, to the one that lacks most."""
    widths = [column.least for column in columns]
    for _ in range(width - _least(columns)):
        short = max(range(len(columns)), key=lambda index: columns[index].most - widths[index])
        if columns[short].most == widths[short]:
            break
        widths[short] += 1
    return widths


def _laid_out(columns: list[_Column], width: int, rows: int, *, titled: bool) -> list[Text]:
    widths = _widths(columns, width)
    lines = _row(columns, [Text(column.title, "bold") for column in columns], widths) if titled else []
    for row in range(rows):
        lines += _row(columns, [column.cells[row] for column in columns], widths)
    return lines


def _row(columns: list[_Column], cells: list[Text], widths: list[int]) -> list[Text]:
    """Return the lines of one row, each cell from the top."""
    wide = [column.lines(cell, width) for column, cell, width in zip(columns, cells, widths, strict=True)]
    height = max(map(len, wide))
    lines = []
    for place in range(height):
        pieces = [
            own[place] if place < len(own) else Text(" " * width) for own, width in zip(wide, widths, strict=True)
        ]
        line = Text(" " * _GAP).join(pieces)
        line.rstrip()
        lines.append(line)
    return lines
