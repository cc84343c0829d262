"""What is cut from the sources before they are compiled for a board."""

from typing import Any

import pytest
from lampione_hil import interpreter
from lampione_hil.firmware import CompileError, compile_tree, sources
from lampione_hil.linking.slim import slim

MAIN = {"main.py": "from node import app\napp.main()\n"}


def cut(*lines: str, **others: str) -> dict[str, str]:
    """Cut a package `node` whose app is `lines`, beside other modules of it."""
    modules = {"node": "", "node.app": "\n".join(lines)}
    modules |= {f"node.{name}": source for name, source in others.items()}
    return slim(modules, MAIN)


def test_constants_stand_where_they_are_used() -> None:
    found = cut(
        "from micropython import const",
        "from . import low",
        "from .low import LIMIT, NAME, fast",
        "_MINE = const(-7)",
        "def main():",
        "    return LIMIT + low.STEP - _MINE, NAME, fast()",
        low="LIMIT = 30\nSTEP = 2\nNAME = b'n'\ndef fast():\n    return LIMIT\n",
    )
    assert found["node.app"] == (
        "from .low import fast\n\ndef main():\n    return (30 + 2 - -7, b'n', fast())"
    )
    assert found["node.low"] == "def fast():\n    return 30"


@pytest.mark.parametrize(
    "low",
    [
        "STEP = 1\ndef grow():\n    global STEP\n    STEP = 2\n",
        "STEP = 1\nSTEP = 2\n",
        "STEP = 1 if len('a') else 2\n",
        "def STEP():\n    return 1\n",
        "STEP = [1]\n",
        "step = 1\nSTEP = step\n",
    ],
)
def test_what_may_change_is_no_constant(low: str) -> None:
    app = ("from .low import STEP", "from . import low", "def main():", "    low.grow(STEP)")
    found = cut(*app, low=low)
    assert "STEP" in found["node.app"]
    assert "STEP" in found["node.low"]


def test_a_local_of_the_same_name_is_left_alone() -> None:
    found = cut("from .low import X", "def main(X):", "    return X", low="X = 1\n")
    assert "return X" in found["node.app"]


def test_what_nothing_mentions_is_left_out() -> None:
    found = cut(
        '"""Text."""',
        "from .low import A, B",
        "def main():",
        '    """Text."""',
        "    return A().used(), getattr(A, 'named')",
        "def chain():",
        "    return B(), link()",
        "def link():",
        "    return 1",
        low="class A:\n    def used(self): return 1\n    def named(self): return 2\n"
        "    def spare(self): return 3\n    def __init__(self): pass\nclass B: pass\n",
        other="def main(): return 1\n",
    )
    assert sorted(found) == ["node", "node.app", "node.low"]
    assert "link" not in found["node.app"]
    assert "Text" not in found["node.app"]
    assert [n for n in ("used", "named", "spare", "__init__", "B") if n in found["node.low"]] == [
        "used",
        "named",
        "__init__",
    ]


def test_types_are_left_out_but_for_viper() -> None:
    found = cut(
        "def main(n: int) -> int:",
        "    @micropython.viper",
        "    def fast(n: int, buf: ptr8) -> int:",
        "        return n",
        "    return fast(n, b'')",
    )
    assert "def main(n):" in found["node.app"]
    assert "def fast(n: int, buf: ptr8) -> int:" in found["node.app"]


def test_a_field_keeps_what_the_codec_reads_and_is_shared() -> None:
    schema = (
        "A_FIELDS = (('level', 'i', 7, 0, 100, 1, '%', 1), ('spare', 'x', 1, 0, 0, 1, '', 1))\n"
        "B_FIELDS = (('share', 'i', 7, 0, 100, 1, '%', 2),) + A_FIELDS[1:]\n"
    )
    codec = (
        "def read(fields):\n    found = []\n    for field in fields:\n        kind = field[1]\n"
        "        if kind != 'x' and field[1] == 'i':\n"
        "            found.append((field[0], fields[0][2], field[3], field[4]))\n    return found\n"
    )
    roots = {
        "main.py": "from lampione_protocol.schema import A_FIELDS, B_FIELDS\n"
        "from lampione_protocol.codec import read\n"
    }
    cut = slim({"lampione_protocol.schema": schema, "lampione_protocol.codec": codec}, roots)
    names: dict[str, Any] = {}
    exec(cut["lampione_protocol.schema"], names)
    assert names["A_FIELDS"] == b"\x00\x01"
    assert names["B_FIELDS"] == b"\x00\x01"
    exec(cut["lampione_protocol.codec"].partition("\n")[2], names)
    assert names["read"](names["A_FIELDS"]) == [(0, 7, 0, 100)]


def test_the_cut_protocol_writes_and_reads_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The schema and the codec, cut for a board, against those of this computer."""
    from lampione_protocol import codec, hour, schema

    _, protocol = sources()
    modules = {
        f"lampione_protocol.{path.stem}": path.read_text("utf-8")
        for path in (protocol / "lampione_protocol").glob("*.py")
        if path.stem != "__init__"
    }
    messages = [f for _, _, f in schema.MESSAGES] + [hour.HOUR_FIELDS, hour.RAW_FIELDS]
    names = [n for n in dir(schema) if n.endswith("_FIELDS")]
    assert {getattr(schema, name) for name in names} <= {*messages}
    names += ["HOUR_FIELDS", "RAW_FIELDS"]
    given = {
        name: [
            b"" if f[1] in "yt" else f[4] for f in getattr(schema, name, getattr(hour, name, ()))
        ]
        for name in names
    }
    script = (
        "from lampione_protocol.codec import encode, decode\nfrom lampione_protocol.hour import "
        f"HOUR_FIELDS, RAW_FIELDS\nfrom lampione_protocol.schema import {', '.join(names[:-2])}\n"
    )
    folder = tmp_path_factory.mktemp("cut")
    (folder / "lampione_protocol").mkdir()
    for name, source in slim(modules, {"main.py": script}).items():
        (folder / "lampione_protocol" / f"{name.split('.')[1]}.py").write_text(source, "utf-8")
    for name in names:
        script += f"bits = encode({name}, {given[name]})\nprint(bits.hex())\n"
        script += f"print(decode({name}, bits, 0, len(bits)))\n"
    said = interpreter.run(["-c", script], path=[folder]).decode().splitlines()
    expected = []
    for name in names:
        fields = getattr(schema, name, None) or getattr(hour, name)
        bits = codec.encode(fields, given[name])
        expected += [bits.hex(), str(codec.decode(fields, bits, 0, len(bits)))]
    assert said == expected


def test_for_debugging_nothing_is_cut() -> None:
    try:
        shipped, whole = compile_tree(), compile_tree(debug=True)
    except CompileError as error:
        pytest.skip(str(error))
    assert len(shipped) < 0.7 * len(whole)
    assert "/lib/lampione_protocol/names.mpy" not in shipped
    assert b"down_header" in whole["/lib/lampione_protocol/seal.mpy"]
    assert b"down_header" not in b"".join(shipped.values())
    assert sum(map(len, shipped.values())) < 0.85 * sum(map(len, whole.values()))
