"""The binary config: what is refused, what is skipped, what has defaults."""

import pytest
from lampione_light import layout
from lampione_light.layout import ConfigError

from tests.light import configs
from tests.light.configs import MILAN, section
from tests.light.reference import CLOCK, Config, Step

WHOLE = configs.blob(Config(*MILAN, upkeep=((0, 80),), plans={0: (Step(CLOCK, 0, 50, 0),)}))


def test_a_config_cut_anywhere_but_between_sections_is_refused() -> None:
    ends = {1}
    for _, content in layout.sections(WHOLE):
        ends.add(max(ends) + 3 + len(content))
    assert max(ends) == len(WHOLE)
    for size in range(1, len(WHOLE) + 1):
        if size in ends:
            layout.sections(WHOLE[:size])
        else:
            with pytest.raises(ConfigError) as error:
                layout.sections(WHOLE[:size])
            assert error.value.args == ("section", max(end for end in ends if end <= size))


@pytest.mark.parametrize("blob", [b"", b"\x00", b"\x02", b"\x02" + WHOLE[1:]])
def test_another_format(blob: bytes) -> None:
    with pytest.raises(ConfigError) as error:
        layout.sections(blob)
    assert error.value.args == ("format", 0)


def test_the_size() -> None:
    rest = layout.SIZE_MAX - 1 - 3
    largest = b"\x01" + section(200, bytes(rest))
    assert layout.sections(largest) == [(200, bytes(rest))]
    with pytest.raises(ConfigError):
        layout.sections(b"\x01" + section(200, bytes(rest + 1)))


@pytest.mark.parametrize("number", sorted(layout.DEFAULTS))
def test_fields_come_one_by_one(number: int) -> None:
    """An older sender's section ends early, a newer one's goes on; half a value is none."""
    defaults = layout.DEFAULTS[number]
    assert layout.fields(number, b"") == defaults
    whole = bytes(range(1, 60))
    every = layout.fields(number, whole)
    assert len(every) == len(defaults) == len(layout.FORMATS[number]) - 1
    known = 0
    for size in range(40):
        found = layout.fields(number, whole[:size])
        while known < len(every) and found[known] == every[known] != defaults[known]:
            known += 1
        assert found == every[:known] + defaults[known:]
    assert known == len(every)


def test_rows() -> None:
    content = b"\x00\x01\x50\x00\x02\x5a"
    assert layout.rows(layout.UPKEEP, content) == [(1, 80), (2, 90)]
    assert layout.rows(layout.UPKEEP, content + b"\x00\x03") == [(1, 80), (2, 90)]
    assert layout.rows(layout.UPKEEP, b"") == []


def test_memory_of_any_kind() -> None:
    for blob in (bytearray(WHOLE), memoryview(WHOLE)):
        assert [(n, bytes(c)) for n, c in layout.sections(blob)] == layout.sections(WHOLE)
