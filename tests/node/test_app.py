"""The node's start and end: light first, and light whatever happens."""

from binascii import crc32
from struct import pack

from lampione_hil.virtual import VirtualBench, VirtualBoard

from tests.node.controller import KEY, node_files

PIN = 5
PARTS = {
    "lamp": {"pin": PIN},
    "sound": {"i2s": 0, "sck": 14, "ws": 15, "sd": 32},
    "climate": {"i2c": 0, "scl": 22, "sda": 21},
}
DESIGN = 65535 * 80 // 100
LAMP = {"design_percent": 80}


def lit(board: VirtualBoard) -> bool:
    return board.pwm_duty(PIN) == DESIGN


def repl_answers(board: VirtualBoard) -> None:
    board.type("print(6 * 7)\r")
    board.wait_console(r"\n42\r")


def test_the_lamp_burns_before_anything_else(bench: VirtualBench) -> None:
    board = bench.board("first", node_files("first", KEY, 1, lamp=LAMP, parts=PARTS))
    board.power_on()
    line = board.wait_console("lampione node first boot 1 epoch [0-9a-f]{8} firmware [0-9.]+")
    assert line
    first = board.trace()[0]
    assert (first.kind, first.pin, first.value) == ("pwm", PIN, DESIGN)


def test_without_a_key_the_lamp_burns_and_the_repl_answers(bench: VirtualBench) -> None:
    files = node_files("keyless", KEY, 1, lamp=LAMP)
    del files["/node.key"]
    board = bench.board("keyless", files)
    board.power_on()
    board.wait_console("no key of 32 bytes in /node.key")
    board.wait_prompt()
    assert lit(board)
    repl_answers(board)
    board.power_off()
    board.write_files({"/node.key": b"short"})
    board.power_on()
    board.wait_console("no key of 32 bytes in /node.key")
    assert lit(board)


def test_with_damaged_settings_the_lamp_burns_as_it_did(bench: VirtualBench) -> None:
    board = bench.board("damaged", node_files("damaged", KEY, 1, lamp=LAMP))
    board.power_on()
    board.wait_console("lampione node")
    board.power_off()
    for text in (b"", b"{", b"[]", b'{"parts": 5}'):
        board.write_files({"/settings.json": text})
        board.power_on()
        board.wait_console("no name in /settings.json")
        board.wait_prompt()
        assert lit(board), text
        repl_answers(board)
        board.power_off()
    board.remove_file("/settings.json")
    board.power_on()
    board.wait_prompt()
    assert lit(board)


def test_a_part_that_cannot_be_built_is_left_out(bench: VirtualBench) -> None:
    parts = {"lamp": {"pin": PIN}, "sound": {"i2s": 0}, "climate": {"i2c": 0, "scl": 1}}
    board = bench.board("misled", node_files("misled", KEY, 1, lamp=LAMP, parts=parts))
    board.power_on()
    board.wait_console("lampione: sound KeyError")
    board.wait_console("lampione: climate ")
    board.wait_console("lampione node misled")
    assert lit(board)
    board.power_off()


def test_without_a_network_it_goes_on_alone(bench: VirtualBench) -> None:
    board = bench.board("alone", node_files("alone", KEY, 1, lamp=LAMP, broker=None))
    board.power_on()
    board.wait_console("lampione node")
    assert lit(board)
    board.power_off()
    assert any(path.startswith("/outbox/") for path in board.list_files("/outbox"))


def test_a_module_that_does_not_load_costs_no_light(bench: VirtualBench) -> None:
    files = node_files("broken", KEY, 1, lamp=LAMP)
    assert "/lib/lampione_node/node.mpy" in files
    files["/lib/lampione_node/node.mpy"] = b"M\0\0\0"
    board = bench.board("broken", files)
    board.power_on()
    board.wait_console("starting again in 60 s")
    assert lit(board)
    board.type(b"\x03")
    board.wait_prompt()
    assert lit(board)
    repl_answers(board)


def test_ctrl_c_ends_it_with_the_lamp_at_its_design_level(bench: VirtualBench) -> None:
    board = bench.board("stopped", node_files("stopped", KEY, 1, lamp=LAMP, parts=PARTS))
    board.power_on()
    board.wait_console("lampione node")
    board.type(b"\x03")
    board.wait_console("lampione: stopped")
    board.wait_prompt()
    assert lit(board)
    repl_answers(board)


def test_lost_and_damaged_state_files_are_survived(bench: VirtualBench) -> None:
    board = bench.board("forgetful", node_files("forgetful", KEY, 1))
    for text in (None, b"", bytes(14), b"\xff" * 14, b"x" * 100):
        if text is not None:
            board.write_files({"/state/numbers": text, "/state/lamp": text})
        board.power_on()
        board.wait_console("lampione node forgetful boot 1 ")
        board.power_off()
    board.power_on()
    board.wait_console("lampione node forgetful boot 2 ")


def test_a_lamp_that_cannot_be_driven_as_set_burns_as_it_did(bench: VirtualBench) -> None:
    board = bench.board("mispinned", node_files("mispinned", KEY, 1, lamp=LAMP))
    board.power_on()
    board.wait_console("lampione node")
    for part in ({"pin": 99}, {}, {"pin": "x"}):
        board.power_off()
        board.write_files(node_files("mispinned", KEY, 1, lamp=LAMP, parts={**PARTS, "lamp": part}))
        board.power_on()
        board.wait_console("lampione node mispinned")
        assert lit(board), part
    board.power_off()


def test_a_lamp_that_is_locked_stays_dark_from_the_first_moment(bench: VirtualBench) -> None:
    """Who works on it must not be lit by a power cut; whoever ends it by a broken node is."""
    board = bench.board("locked", node_files("locked", KEY, 1, lamp=LAMP))
    row = pack(">BHIII", 7, 0, 1, 0, 600)
    board.write_files({"/state/orders": row + crc32(row).to_bytes(4, "big")})
    board.power_on()
    board.wait_console("lampione node locked boot 1 ")
    assert {c.value for c in board.trace() if c.pin == PIN} == {0}
    board.power_off()
    board.remove_file("/node.key")
    board.power_on()
    board.wait_console("no key of 32 bytes")
    board.wait_prompt()
    assert lit(board)
