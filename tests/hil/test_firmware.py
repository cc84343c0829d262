"""The firmware compiled and laid out for a board."""

from pathlib import Path

import pytest
from lampione_hil.firmware import ESP32, CompileError, compile_tree, host_march
from lampione_hil.virtual import SteadyAir, VirtualBench, World


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, Path]:
    firmware, protocol = tmp_path / "firmware", tmp_path / "protocol"
    for folder in (firmware / "node_x" / "drivers", protocol / "lampione_protocol"):
        folder.mkdir(parents=True)
    (firmware / "main.py").write_text("import node_x.app\n")
    (firmware / "boot.py").write_text("")
    (firmware / "node_x" / "__init__.py").write_text("")
    (firmware / "node_x" / "app.py").write_text(
        "from node_x.drivers import fast\nfrom lampione_protocol import two\n"
        "print('sum', fast.add(40, two.two()))\n"
    )
    (firmware / "node_x" / "drivers" / "__init__.py").write_text("")
    (firmware / "node_x" / "drivers" / "fast.py").write_text(
        "@micropython.viper\ndef add(a: int, b: int) -> int:\n    return a + b\n"
    )
    (protocol / "lampione_protocol" / "__init__.py").write_text("")
    (protocol / "lampione_protocol" / "two.py").write_text("def two():\n    return 2\n")
    return firmware, protocol


def test_layout_and_cache(tree: tuple[Path, Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    files = compile_tree(*tree, march=ESP32, cache=cache)
    assert sorted(files) == [
        "/boot.py",
        "/lib/node_x/__init__.mpy",
        "/lib/node_x/app.mpy",
        "/main.py",
    ]
    assert all(data[:2] == b"M\x06" for path, data in files.items() if path.endswith(".mpy"))
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert compile_tree(*tree, march=ESP32, cache=cache) == files
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == kept
    (tree[1] / "lampione_protocol" / "two.py").write_text("def two():\n    return 3\n")
    assert compile_tree(*tree, march=ESP32, cache=cache) != files


def test_a_cache_that_is_torn_or_full_is_no_cache(tree: tuple[Path, Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    files = compile_tree(*tree, march=ESP32, cache=cache)
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    assert compile_tree(*tree, march=ESP32, cache=cache) == files
    for path in cache.iterdir():
        path.write_bytes(b"")  # as a power cut leaves it
    assert compile_tree(*tree, march=ESP32, cache=cache) == files
    (tmp_path / "file").write_text("")
    assert compile_tree(*tree, march=ESP32, cache=tmp_path / "file" / "cache") == files


def test_for_debugging_every_module_is_there(tree: tuple[Path, Path], tmp_path: Path) -> None:
    files = compile_tree(*tree, march=ESP32, cache=tmp_path / "cache", debug=True)
    assert [path for path in sorted(files) if not path.endswith("__init__.mpy")] == [
        "/boot.py",
        "/lib/lampione_protocol/two.mpy",
        "/lib/node_x/app.mpy",
        "/lib/node_x/drivers/fast.mpy",
        "/main.py",
    ]


def test_what_cannot_be_linked_is_one_plain_line(tree: tuple[Path, Path], tmp_path: Path) -> None:
    (tree[0] / "node_x" / "app.py").write_text("a = 1\nfrom node_x.drivers.fast import *\n")
    with pytest.raises(CompileError, match=r"^node_x\.app:2: from node_x\.drivers\.fast import"):
        compile_tree(*tree, cache=tmp_path / "cache")


def test_compiled_native_code_runs_on_a_board(
    bench: VirtualBench, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    try:
        host_march()
    except CompileError as error:
        pytest.skip(str(error))
    files = compile_tree(*tree, cache=tmp_path / "cache")
    board = bench.board("mpy", files, world=World(street=None, air=SteadyAir()))
    board.power_on()
    board.wait_console("sum 42")


def test_a_wrong_module_is_one_plain_line(tree: tuple[Path, Path], tmp_path: Path) -> None:
    (tree[0] / "node_x" / "app.py").write_text("def (:\n")
    with pytest.raises(CompileError, match=r"^node_x/app\.py: SyntaxError: invalid syntax$"):
        compile_tree(*tree, cache=tmp_path / "cache")


def test_our_firmware_compiles_for_the_board() -> None:
    files = compile_tree(march=ESP32)
    assert any(path.startswith("/lib/lampione_node/") for path in files)
    assert any(path.startswith("/lib/lampione_light/") for path in files)


def test_a_computer_without_native_code_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(CompileError, match="no native code for riscv64"):
        host_march()
