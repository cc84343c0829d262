"""A schema's fields as columns: of a message a board holds one byte a field.

`A_FIELDS` becomes the numbers of its distinct fields, as bytes; in the codec, and wherever else a
`field` is asked for its columns, `field[2]` becomes `field_bits[field]`, and what is compared with
its kind a number. A tuple for each field took three times as much.
"""

import ast
from collections.abc import Mapping
from typing import Any

SCHEMA = "lampione_protocol.schema"
_DATA = (SCHEMA, "lampione_protocol.hour")  # modules of nothing but literals
_COLUMNS = ("", "field_kinds", "field_bits", "field_lows", "field_highs")
_KIND, _BITS, _LOW, _HIGH = range(1, 5)
_Row = tuple[str, int, int, int]


def spread(trees: Mapping[str, ast.Module]) -> None:
    """Write the fields as columns, in all modules of a program that has no others (the node's)."""
    elsewhere = [name for name, tree in trees.items() if name not in _DATA and _tables(tree)]
    if SCHEMA not in trees or elsewhere:
        return
    rows: dict[_Row, int] = {}
    for name in _DATA:
        if name in trees:
            _number(trees[name], rows)
    kinds = bytes(ord(row[0]) for row in rows)
    bits = bytes(row[1] for row in rows)
    trees[SCHEMA].body[:0] = ast.parse(
        f"field_kinds = {kinds!r}\nfield_bits = {bits!r}\n"
        f"field_lows = {[row[2] for row in rows]}\nfield_highs = {[row[3] for row in rows]}\n"
    ).body
    for tree in trees.values():
        if any(_is_field(n.value) for n in ast.walk(tree) if isinstance(n, ast.Subscript)):
            asked = _Columns()
            asked.visit(tree)
            names = [ast.alias(column) for column in _COLUMNS if column in asked.used]
            tree.body.insert(0, ast.ImportFrom(SCHEMA, names, 0))
        ast.fix_missing_locations(tree)


def _number(tree: ast.Module, rows: dict[_Row, int]) -> None:
    """Put numbers in place of a module's fields; new ones are added to `rows`."""
    known: dict[str, Any] = {}
    exec(compile(ast.unparse(tree), "fields", "exec"), known)  # noqa: S102
    for node in _tables(tree):
        fields = [field[_KIND : _HIGH + 1] for field in known[ast.unparse(node.targets[0])]]
        numbers = [rows.setdefault(field, len(rows)) for field in fields]
        node.value = ast.Constant(bytes(numbers))


def _tables(tree: ast.Module) -> list[ast.Assign]:
    """Return where a module makes A_FIELDS."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return [node for node in assigned if ast.unparse(node.targets[0]).endswith("_FIELDS")]


class _Columns(ast.NodeTransformer):
    def __init__(self) -> None:
        self.used: set[str] = set()

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if _is_field(node.value) and isinstance(node.slice, ast.Constant):
            column = node.slice.value
            if column == 0:
                return ast.Constant(0)  # a name, for people
            assert isinstance(column, int)
            self.used.add(_COLUMNS[column])
            return ast.Subscript(ast.Name(_COLUMNS[column], ast.Load()), node.value, ast.Load())
        self.generic_visit(node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if ast.unparse(node.left).partition("[")[0] in ("kind", _COLUMNS[_KIND]):
            (kind,) = node.comparators
            assert isinstance(kind, ast.Constant)
            node.comparators = [ast.Constant(ord(str(kind.value)))]
        return node


def _is_field(node: ast.expr) -> bool:
    """Say whether this is `field` or `fields[...]`."""
    inside = node.value if isinstance(node, ast.Subscript) else node
    wanted = "fields" if isinstance(node, ast.Subscript) else "field"
    return isinstance(inside, ast.Name) and inside.id == wanted
