"""Seeded damage: to bytes, to texts of tokens, to JSON, and to parts of a zip with every checksum made right again."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import zipfile
from typing import Any

import numpy as np

Random = np.random.Generator

_NUMBERS = ("0", "1", "-1", "2", "7", "64", "255", "65536", "2147483648", "99999999999999", "9" * 30, "9" * 5000, "1e999", "nan", "-0.0", "0x10", "1.5", "abc", "")  # fmt: skip # noqa: E501
_VALUES: tuple[Any, ...] = (None, True, False, 0, 1, -1, 3, 64, 1 << 31, 1 << 62, 10**30, 0.5, float("inf"), "", "a", "reference", "llvm", [], [1], [[]], {}, {"a": 1})  # fmt: skip # noqa: E501
_WORDS = re.compile(rb"[a-z]+[0-9]*<[0-9x]*>|[A-Za-z_]+|[0-9.]+|[^\sA-Za-z_0-9.]")
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def pick(random: Random, items: Any) -> Any:
    """Return one of the items."""
    return items[int(random.integers(len(items)))]


def damage_bytes(random: Random, content: bytes) -> bytes:
    """Return bytes with one to four edits: bits, bytes, slices cut, repeated or moved."""
    found = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        if not found:
            return b"\0"
        place, length = int(random.integers(len(found))), int(2 ** random.uniform(0, 10))
        kind = int(random.integers(7))
        if kind <= 1:
            found[place] ^= 1 << int(random.integers(8))
        elif kind == 2:
            found[place] = pick(random, _INTERESTING)
        elif kind == 3:
            del found[place : place + length]
        elif kind == 4:
            found[place:place] = found[place : place + length]
        elif kind == 5:
            found[place : place + 8] = int(2 ** random.uniform(0, 63)).to_bytes(8, "little")
        else:
            del found[int(len(found) * random.uniform(0.1, 1)) :]
    return bytes(found)


def damage_text(random: Random, content: bytes) -> bytes:
    """Return text with one to three edits: a token replaced by an odd number or another token, lines moved or lost."""
    for _ in range(int(random.integers(1, 4))):
        if random.random() < 0.25:
            content = _moved_lines(random, content)
            continue
        tokens = list(_WORDS.finditer(content))
        if not tokens:
            return b""
        token = pick(random, tokens)
        other = pick(random, _NUMBERS).encode() if random.random() < 0.6 else pick(random, tokens)[0]
        if random.random() < 0.2:  # everywhere: what agrees still agrees
            content = re.sub(rb"\b" + re.escape(token[0]) + rb"\b", other.replace(b"\\", b""), content)
        else:
            content = content[: token.start()] + other + content[token.end() :]
    return content


def _moved_lines(random: Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = int(random.integers(len(lines))), int(random.integers(len(lines)))
    kind = int(random.integers(3))
    if kind == 0:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 1:
        lines.insert(second, lines[first])
    else:
        del lines[first]
    return b"\n".join(lines)


def damage_json(random: Random, value: Any) -> Any:
    """Return a copy of decoded JSON with one to three of its places replaced, left out or added to."""
    whole = {"": copy.deepcopy(value)}
    for _ in range(int(random.integers(1, 4))):
        places = list(_places(whole))
        holder, key = pick(random, places)
        kind = int(random.integers(6))
        if kind == 0 and isinstance(holder, dict) and key:
            del holder[key]
        elif kind == 1:
            holder[key] = copy.deepcopy(pick(random, places)[0])
        elif kind == 2 and type(holder[key]) is int:
            holder[key] += int(pick(random, (-64, -1, 1, 64)))
        else:
            holder[key] = copy.deepcopy(pick(random, _VALUES))
    return whole[""]


def _places(value: Any) -> Any:
    """Yield (holder, key) of everything inside a decoded JSON value."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def unzipped(content: bytes) -> dict[str, bytes]:
    """Return the parts of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of parts, its own checksums right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def damage_artifact(random: Random, content: bytes) -> bytes:
    """Return an artifact with damage to the file, or to one of its parts: hashes wrong, or made right again."""
    if random.random() < 0.1:
        return damage_bytes(random, content)
    parts = unzipped(content)
    manifest = json.loads(parts["manifest.json"])
    name = str(pick(random, [*parts, "manifest.json", "manifest.json", "graph.tg"]))
    if name == "manifest.json" and random.random() < 0.8:
        manifest = damage_json(random, manifest)
    elif name == "report.json" and random.random() < 0.8:
        parts[name] = json.dumps(damage_json(random, json.loads(parts[name]))).encode()
    elif name == "graph.tg" and random.random() < 0.9:
        parts[name] = damage_text(random, parts[name])
    else:
        parts[name] = damage_bytes(random, parts[name])
        manifest = manifest if name != "manifest.json" else None
    if random.random() < 0.05:
        parts.pop(pick(random, list(parts)))
    if isinstance(manifest, dict):
        if isinstance(manifest.get("sha256"), dict) and random.random() < 0.85:
            names = [part for part in parts if part != "manifest.json"]
            manifest["sha256"] = {part: hashlib.sha256(parts[part]).hexdigest() for part in names}
        parts["manifest.json"] = json.dumps(manifest).encode()
    method = zipfile.ZIP_LZMA if random.random() < 0.02 else zipfile.ZIP_STORED
    return zipped(parts, method)


def damage_zip(random: Random, content: bytes) -> bytes:
    """Return a zip of arrays or tensors with damage to the file, or to one of its parts behind right checksums."""
    if random.random() < 0.25:
        return damage_bytes(random, content)
    parts = unzipped(content)
    name = str(pick(random, list(parts)))
    if random.random() < 0.1:
        parts[pick(random, list(parts)) + pick(random, ("", "x"))] = parts.pop(name)
    elif random.random() < 0.5:
        head = parts[name][:128]
        parts[name] = damage_text(random, head) + parts[name][128:]
    else:
        parts[name] = damage_bytes(random, parts[name])
    return zipped(parts)
