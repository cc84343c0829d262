"""What a serial line says is kept to a bound, and its starts are counted, wherever it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.real.heard import TAIL_BYTES, Heard

ROM = (
    b"ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_"
    b"FLASH_BOOT)\r\nload:0x3fce3808,len:0x44c\r\nentry 0x403c8b6c\r\n"
)
WATCHDOG = ROM.replace(b"0x1 (POWERON)", b"0x8 (TG1WDT_SYS_RST)")
HELLO = b"lampione hello 0102ab\r\n"
SOFT = b"MPY: soft reboot\r\n"
BANNER = b'MicroPython v1.28.0 on 2026-05-01; Generic ESP32S3 module\r\nType "help()".\r\n>>> '


@pytest.mark.parametrize(
    ("said", "boots"),
    [
        (ROM + HELLO, 1),
        (HELLO, 1),
        (HELLO + HELLO, 2),
        (ROM + HELLO + b"half a li" + WATCHDOG + HELLO, 2),
        (WATCHDOG * 5, 5),
        (HELLO + SOFT + HELLO, 2),
        (SOFT + BANNER, 1),
        (HELLO + BANNER + BANNER, 1),
        (b"the rst:0x1 of a program\r\n", 0),
        (b"lampione hello\r\n", 0),
    ],
)
def test_starts_are_counted(said: bytes, boots: int) -> None:
    heard = Heard()
    heard.take(said)
    assert heard.boots == boots


@pytest.mark.parametrize("said", [ROM + HELLO + BANNER, HELLO + BANNER, ROM + BANNER, BANNER])
def test_a_start_by_the_bench_is_one(said: bytes) -> None:
    heard = Heard()
    heard.expect_start()
    heard.take(said)
    heard.take(BANNER)
    assert heard.boots == 1


PIECES = st.lists(st.sampled_from([ROM, WATCHDOG, HELLO, SOFT, BANNER, b"\xff\x00text", b"\n"]))


@given(PIECES, st.lists(st.integers(1, 40), min_size=1))
def test_cuts_change_nothing(pieces: list[bytes], sizes: list[int]) -> None:
    text = b"".join(pieces)
    whole, cut = Heard(), Heard()
    whole.take(text)
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        cut.take(text[at : at + size])
        at, turn = at + size, turn + 1
    assert cut.boots == whole.boots
    assert bytes(cut.tail) == bytes(whole.tail) == text


def test_only_the_end_is_kept() -> None:
    heard = Heard()
    for _ in range(40):
        heard.take(b"x" * 5000)
    heard.take(b"y" + HELLO)
    assert len(heard.tail) == TAIL_BYTES
    assert heard.tail.endswith(b"xy" + HELLO)
    assert heard.boots == 1
    heard.forget()
    assert not heard.tail
    assert heard.boots == 1
