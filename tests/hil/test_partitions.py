"""ESP-IDF's table of partitions and its images: read, checked and written."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.board import BenchError
from lampione_hil.flashing import image, layout
from lampione_hil.partitions import (
    TABLE_BYTES,
    Entry,
    Files,
    FormatError,
    application_bytes,
    files,
    parse,
    rom_bytes,
    table,
)

from tests.hil import esp_images

KIB = 1024


@st.composite
def entries(draw: st.DrawFn) -> tuple[Entry, ...]:
    """Partitions one behind the other, in any order."""
    at = 0x9000
    found = []
    letters = st.characters(min_codepoint=33, max_codepoint=126)
    names = st.lists(st.text(letters, min_size=1, max_size=16), max_size=9, min_size=1, unique=True)
    for name in draw(names):
        kind = draw(st.integers(0, 255))
        at += draw(st.integers(0, 40)) * 0x1000
        if kind == 0:
            at = -(-at // 0x10000) * 0x10000
        size = draw(st.integers(1, 300)) * 0x1000
        subtype, flags = draw(st.integers(0, 255)), draw(st.integers(0, 2**32 - 1))
        found.append(Entry(name, kind, subtype, at, size, flags))
        at += size
    return tuple(draw(st.permutations(found)))


@given(entries())
def test_what_was_written_is_read(found: tuple[Entry, ...]) -> None:
    data = table(found)
    assert len(data) == TABLE_BYTES
    assert parse(data) == found


@given(entries(), st.data())
def test_a_flipped_bit_is_refused(found: tuple[Entry, ...], data: st.DataObject) -> None:
    good = table(found)
    bit = data.draw(st.integers(0, (len(found) + 1) * 256 - 1))
    spoilt = bytearray(good)
    spoilt[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FormatError):
        parse(bytes(spoilt))


@given(st.binary(max_size=200), st.integers(0, TABLE_BYTES))
def test_rubbish_is_refused(rubbish: bytes, at: int) -> None:
    data = bytearray(esp_images.table(esp_images.STOCK))
    data[at : at + len(rubbish)] = rubbish
    try:
        found = parse(bytes(data[:TABLE_BYTES]))
    except FormatError:
        return
    assert [one.label for one in found] == ["nvs", "phy_init", "factory"][: len(found)]


def test_what_esp_idf_writes_is_read_and_written_alike() -> None:
    for rows in (esp_images.STOCK, esp_images.NAMED, esp_images.OTA):
        data = esp_images.table(rows)
        found = parse(data)
        assert [(one.label, one.type, one.subtype, one.offset, one.size) for one in found] == list(
            rows
        )
        assert table(found) == data
        assert parse(esp_images.table(rows, summed=False)) == found, "the MD5 may be left out"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("x", 1, 2, 0x8000, 0x1000), "x: it cannot begin at 0x8000"),
        (("x", 0, 0, 0x211000, 0x1000), "x: it cannot begin at 0x211000"),
        (("x", 1, 2, 0x400000, 0), "x: a size of 0x0"),
        (("x", 1, 2, 0xFFFFF000, 0x2000), "x: a size of 0x2000"),
        (("x", 1, 2, 0x1FF000, 0x1000), "factory and x overlap"),
        (("nvs", 1, 2, 0x400000, 0x1000), "two partitions of one name"),
    ],
)
def test_what_no_boot_loader_takes_is_refused(row: esp_images.Row, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse(esp_images.table((*esp_images.STOCK, row)))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=16), st.booleans(), st.binary())
def test_the_end_of_an_application(segments: list[bytes], hashed: bool, rest: bytes) -> None:
    data = esp_images.application(*segments, hashed=hashed)
    assert application_bytes(data + rest) == len(data)
    with pytest.raises(FormatError):
        application_bytes(data[:-1])


@given(st.data())
def test_a_spoilt_application_is_refused(data: st.DataObject) -> None:
    spoilt = bytearray(esp_images.application(b"abc" * 20, b"de"))
    at = data.draw(st.integers(0, len(spoilt) - 1))
    spoilt[at] ^= data.draw(st.integers(1 if at != 23 else 2, 255))  # 0 there: no SHA-256
    with pytest.raises(FormatError):
        application_bytes(bytes(spoilt))


def test_esptool_takes_the_images_of_these_tests(tmp_path: Path) -> None:
    bin_image = pytest.importorskip("esptool.bin_image")
    path = tmp_path / "app.bin"
    path.write_bytes(esp_images.application(b"abcd" * 20, b"efgh"))
    found = bin_image.LoadFirmwareImage("esp32s3", str(path))
    assert found.checksum == found.calculate_checksum()
    assert found.stored_digest == found.calc_digest
    assert application_bytes(path.read_bytes()) == path.stat().st_size


def of(rows: tuple[esp_images.Row, ...], used: int = 1_700 * KIB, chip: int = 9) -> layout.Layout:
    return layout.of(esp_images.image(rows, used, chip), 0x1000 if chip == 0 else 0)


@pytest.mark.parametrize("chip", [0, 9])
def test_the_partition_is_taken_off_the_application_and_files_stay(chip: int) -> None:
    own = of(esp_images.STOCK, chip=chip)
    made = layout.with_rom(own)
    assert (rom_bytes(made.entries), made.why_no_rom) == (128 * KIB, "")
    assert files(made.entries) == files(own.entries) == Files(0x200000, None)
    assert [(one.label, one.offset, one.size) for one in made.entries[2:]] == [
        ("factory", 0x10000, 0x1D0000), ("romfs", 0x1E0000, 0x20000),
    ]  # fmt: skip
    assert made.words.endswith(
        "factory 0x10000 (1856 KiB, 1699 KiB used), romfs 0x1e0000 (128 KiB), files from 0x200000"
    )


def test_files_that_a_table_names_stay_where_they_are() -> None:
    made = layout.with_rom(of(esp_images.NAMED))
    assert rom_bytes(made.entries) == 128 * KIB
    assert files(made.entries) == Files(0x200000, 0x200000)


def test_a_full_application_leaves_no_room() -> None:
    own = of(esp_images.STOCK, used=1_900 * KIB)
    made = layout.with_rom(own)
    assert made.entries == own.entries
    assert made.why_no_rom == "the application leaves 64 KiB, and it takes 128 KiB"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (esp_images.OTA, r"several applications \(OTA\)"),
        ((*esp_images.STOCK, ("log", 1, 0x40, 0x200000, 0x1000)), "of a kind that is not known"),
        ((*esp_images.STOCK, ("ffat", 1, 0x81, 0x200000, 0x1000)), "of a kind that is not known"),
    ],
)
def test_other_tables_are_left_alone(rows: tuple[esp_images.Row, ...], why: str) -> None:
    own = of(rows)
    made = layout.with_rom(own)
    assert made == own
    with pytest.raises(BenchError, match="cannot be changed to that"):
        layout.with_rom(own, Files(0x220000, None))
    assert re.search(why, made.why_no_rom)


def test_an_image_with_a_rom_partition_is_as_it_should_be() -> None:
    rows = (*esp_images.FRONT, ("factory", 0, 0, 0x10000, 0x1D0000),
            ("romfs", 1, 0x8F, 0x1E0000, 0x20000))  # fmt: skip
    own = of(rows)
    assert (layout.with_rom(own), own.why_no_rom) == (own, "")


@given(st.integers(1, 64), st.integers(1, 40), st.integers(0x20, 0x80), st.booleans())
def test_files_never_move(factory: int, used: int, begin: int, named: bool) -> None:
    """Whatever the table of the board is: its files stay, or nothing is written."""
    rows = (*esp_images.FRONT, ("factory", 0, 0, 0x10000, factory * 0x10000))
    own = layout.Layout(parse(esp_images.table(rows)), used * 0x10000, 8 << 20, "none", True)
    kept = Files(begin * 0x8000, 0x100000 if named else None)
    try:
        made = layout.with_rom(own, kept)
    except BenchError:
        assert (begin * 0x8000 < (used + 1) * 0x10000) or begin * 0x8000 + 0x100000 > 8 << 20
        return
    assert parse(table(made.entries)) == made.entries
    assert files(made.entries) == kept
    (application,) = (one for one in made.entries if one.type == 0)
    assert application.size >= used * 0x10000
    assert rom_bytes(made.entries) in (0, 128 * KIB)
    assert (rom_bytes(made.entries) == 0) == bool(made.why_no_rom)


def test_hostile_files_are_images_without_a_table(tmp_path: Path) -> None:
    good = esp_images.image()
    for number, data in enumerate(
        [
            good[:0x8000],
            good[:0x8400],
            good[:-1],
            good[:0x10000],
            good.replace(b"\xaa\x50", b"\0\0"),
        ]
    ):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(data)
        found = image.read(path)
        assert found.layout is None
        assert found.wrong
