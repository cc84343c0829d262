"""The list of what is to be provisioned, as people write it: TOML or CSV, checked whole.

    wifi = "workshop.wifi"                 for rows that name none; beside the list

    [[boards]]
    node = "bligny-1"
    board = "a4cf12fe0001"                 serial number; left out: the next board plugged in
    site = "bligny"                        must be the fleet's: it guards against a wrong row
    calibration.sound.offset_cdb = -120

    node,board,site,wifi,sound.offset_cdb  the same as CSV

Nothing is begun with a list that has a mistake: each is named by its line.
"""

import csv
import hashlib
import io
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from lampione.calibration import applied
from lampione.config.model import Name
from lampione.config.table import Table
from lampione.seeds import Seed, SeedError

ROWS_MAX = 10_000
_TOLD = 50  # mistakes of a list
CONTROLLER = "controller"  # whom the broker knows the controller by
_RESERVED = ("status", "broker", CONTROLLER)
_COLUMNS = ("node", "board", "site", "wifi")
_HEADER = re.compile(r"\s*\[\[\s*boards\s*\]\]")
_WORDS = {"missing": "is missing", "extra_forbidden": "is not known here; check the spelling"}


class ListError(ValueError):
    """The list cannot be used: a line for each mistake, by file and line."""


class _Row(Table):
    node: Name
    board: str | None = Field(default=None, min_length=1, max_length=64)
    site: Name | None = None
    wifi: str | None = Field(default=None, min_length=1)
    calibration: dict[str, dict[str, int]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One board to be.

    board: its serial number; None: the next one plugged in.
    wifi: the file of the network's credentials; None: asked for, or the fleet's file says.
    line: of the list, for messages; 0: of the command line.
    """

    node: str
    board: str | None = None
    site: str | None = None
    wifi: Path | None = None
    calibration: dict[str, dict[str, int]] = field(default_factory=dict)
    line: int = 0

    def digest(self) -> str:
        """Return what changes when the row does: then what was done with it is done again."""
        what = [self.node, self.board, self.site, str(self.wifi or ""), self.calibration]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def load(path: Path, seed: Seed) -> list[Row]:
    """Read a list and check it against the fleet. Raises ListError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ListError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ListError(f"{path}: not UTF-8 text") from None
    if path.suffix.lower() not in (".toml", ".csv"):
        raise ListError(f"{path}: its name must end in .toml or .csv, so that I know which it is")
    return loads(text, path, seed)


def loads(text: str, path: Path, seed: Seed) -> list[Row]:
    """Read a list's text; `path` names it, and files in it lie beside it. Raises ListError."""
    given = _toml(text, path) if path.suffix.lower() == ".toml" else _csv(text, path)
    mistakes: list[tuple[int, str]] = []
    rows: list[Row] = []
    for line, said in given:
        try:
            rows.append(_row(line, said, path.parent))
        except ValidationError as error:
            mistakes += [(_line_of(text, path, line, at), why) for at, why in _said(error)]
    if not given:
        mistakes.append((1, "there is no board in it"))
    if len(given) > ROWS_MAX:
        mistakes.append((given[ROWS_MAX][0], f"more than {ROWS_MAX} boards"))
    for row in rows:
        mistakes += [(row.line, why) for why in check(row, seed)]
    mistakes += _twice(rows)
    if mistakes:
        told = [f"{path}:{line}: {said}" for line, said in sorted(set(mistakes))]
        more = [f"{path}: {len(told) - _TOLD} more mistakes"] if len(told) > _TOLD else []
        raise ListError("\n".join([*told[:_TOLD], *more]))
    return rows


def check(row: Row, seed: Seed) -> list[str]:
    """Return what does not fit the fleet in a row."""
    if row.node in _RESERVED:
        return [f"{row.node!r} is a word of ours: name the node otherwise"]
    try:
        node = seed.node(row.node)
    except KeyError:
        return [f"the fleet's file has no node {row.node!r}"]
    if node.planned:
        return [f"{row.node} is planned: take `planned = true` out of the fleet's file first"]
    found = []
    if row.site is not None and row.site != node.site:
        found.append(f"{row.node} stands at {node.site!r} in the fleet's file, not {row.site!r}")
    try:
        applied(seed, {row.node: row.calibration})
    except SeedError as error:
        found.append(str(error))
    return found


def _row(line: int, given: dict[str, Any], folder: Path) -> Row:
    checked = _Row.model_validate(given)
    wifi = None if checked.wifi is None else folder / checked.wifi
    return Row(checked.node, checked.board, checked.site, wifi, dict(checked.calibration), line)


def _said(error: ValidationError) -> Iterator[tuple[str, str]]:
    for one in error.errors(include_input=False, include_url=False):
        place = ".".join(str(step) for step in one["loc"])
        words = _WORDS.get(one["type"], one["msg"].removeprefix("Value error, "))
        yield str(one["loc"][0]) if one["loc"] else "", f"{place} {words}".strip()


def _twice(rows: Iterable[Row]) -> Iterator[tuple[int, str]]:
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        for what, name in (("node", row.node), ("board", row.board)):
            if name is None:
                continue
            first = seen.setdefault((what, name), row)
            if first is not row:
                yield row.line, f"{what} {name!r} is on line {first.line} already"


def _toml(text: str, path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, a thousand brackets
        raise ListError(f"{path}: not TOML: {error}") from None
    boards = document.pop("boards", [])
    wifi = document.pop("wifi", None)
    lines = [n for n, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    for name in document:
        raise ListError(
            f"{path}:{_find(text, name, 1)}: {name!r} is not known here; check the spelling"
        )
    if not isinstance(boards, list) or not all(isinstance(row, dict) for row in boards):
        raise ListError(f"{path}: boards: write [[boards]] before each one's lines")
    if wifi is not None and not isinstance(wifi, str):
        raise ListError(f"{path}:{_find(text, 'wifi', 1)}: wifi is the name of a file")
    if len(lines) != len(boards):  # as a list in brackets
        lines = [_find(text, str(row.get("node", "boards")), 1) for row in boards]
    default = {} if wifi is None else {"wifi": wifi}
    return [(line, default | row) for line, row in zip(lines, boards, strict=True)]


def _csv(text: str, path: Path) -> list[tuple[int, dict[str, Any]]]:
    delimiter = ";" if ";" in text.partition("\n")[0] else ","  # as spreadsheets of Italy write it
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        heads = [head.strip() for head in next(reader, [])]
        if len(set(heads)) < len(heads):
            raise ListError(f"{path}:1: a column is there twice")
        for head in heads:
            if head not in _COLUMNS and head.count(".") != 1:
                raise ListError(
                    f"{path}:1: column {head!r} is not known: {', '.join(_COLUMNS)}, or "
                    "part.setting of a calibration, as sound.offset_cdb"
                )
        found = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, _cells(heads, cells, f"{path}:{reader.line_num}")))
    except csv.Error as error:
        raise ListError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    return found


def _cells(heads: list[str], cells: list[str], where: str) -> dict[str, Any]:
    if len(cells) != len(heads):
        raise ListError(f"{where}: {len(cells)} cells, and the first line has {len(heads)}")
    row: dict[str, Any] = {}
    for head, cell in zip(heads, cells, strict=True):
        text = cell.strip()
        if not text:
            continue
        if head in _COLUMNS:
            row[head] = text
            continue
        if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII):
            raise ListError(f"{where}: {head}: {text!r} is not a whole number")
        part, _, name = head.partition(".")
        row.setdefault("calibration", {}).setdefault(part, {})[name] = int(text)
    return row


def _find(text: str, word: str, first: int) -> int:
    """Return the line of a word from line `first` on; `first` where it is not found."""
    for n, line in enumerate(text.splitlines(), 1):
        if n >= first and word in line.partition("#")[0]:
            return n
    return first


def _line_of(text: str, path: Path, first: int, key: str) -> int:
    """Return the line of a row's key; where that is missing, the row's first."""
    if path.suffix.lower() == ".csv" or not key:
        return first
    for n, line in enumerate(text.splitlines()[first:], first + 1):
        if _HEADER.match(line):
            break
        if re.match(rf"\s*{re.escape(key)}\s*[.=]", line):
            return n
    return first
