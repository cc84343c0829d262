"""The microphone: levels, recordings, and that no sample is lost, doubled or moved."""

import itertools
import json
import math
import re
import struct
import tempfile
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import Recording, SyntheticStreet, Tone, VirtualBench, World
from lampione_hil.virtual.microphone import Loop
from lampione_hil.virtual.sound import SAMPLE_HZ, level_db, read_wav, resample, to_words
from scipy import signal

LISTEN = b"""
import asyncio, machine
stop = %d
line = machine.I2S(0, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),
    mode=machine.I2S.RX, bits=32, format=machine.I2S.MONO, rate=48000, ibuf=16000)
async def main():
    stream = asyncio.StreamReader(line)
    block = bytearray(1200)
    seen = 0
    with open("/heard", "wb") as file:
        while seen < stop:
            n = await stream.readinto(block)
            file.write(memoryview(block)[:n])
            seen += n // 4
    print("heard", seen)
asyncio.run(main())
"""


def write_wav(path: Path, x: npt.NDArray[np.float64], rate: int, width: int, channels: int) -> None:
    """Write x (full scale = 1) to every channel, the others silent."""
    top = 1 << 8 * width - 1
    whole = np.clip(np.rint(x * top), -top, top - 1).astype(np.int64)
    frames = bytearray()
    for value in whole.tolist():
        sample = (
            bytes([value + 128]) if width == 1 else value.to_bytes(width, "little", signed=True)
        )
        frames += sample + (bytes([128]) if width == 1 else bytes(width)) * (channels - 1)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(bytes(frames))


def wav(*, rate: int = 8000, samples: int = 800, width: int = 2) -> bytes:
    """Return a WAV file of one channel, its header as given, right or wrong."""
    data = b"\1\2\3\4\5\6\7\0"[:width] * samples
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * width & 0xFFFFFFFF, width, 8 * width)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


WAV = wav()


def words(path: Path) -> npt.NDArray[np.int32]:
    return np.fromfile(path, "<i4")


@pytest.mark.parametrize("spl_db", [30.0, 94.0, 119.9])
def test_a_tone_has_its_level(tmp_path: Path, spl_db: float) -> None:
    assert abs(level_db(words(Tone(1000, spl_db).samples(tmp_path))) - spl_db) < 0.05


def test_94_db_is_26_db_below_full_scale(tmp_path: Path) -> None:
    peak = int(np.max(words(Tone(1000, 94).samples(tmp_path)))) / 2**31
    assert abs(20 * math.log10(peak) + 26) < 0.01


def test_24_bits_left_justified() -> None:
    got = to_words(np.array([0.0, 1.0, -1.0, 2.0, -2.0, 1 / 2**23, -1 / 2**23]))
    want = [0, 0x7FFFFF00, -(2**31), 0x7FFFFF00, -(2**31), 256, -256]
    assert got.tolist() == want


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (16000, 2), (96000, 1)])
def test_a_recording_has_the_level_asked_for(
    tmp_path: Path, width: int, rate: int, channels: int
) -> None:
    draw = np.random.default_rng(1)
    noise = signal.lfilter(*signal.butter(2, 3000, fs=rate), draw.normal(0, 0.1, rate // 2))
    write_wav(tmp_path / "a.wav", np.asarray(noise), rate, width, channels)
    loop = words(Recording(tmp_path / "a.wav", 70.0).samples(tmp_path))
    assert abs(level_db(loop) - 70) < 0.05
    assert len(loop) == SAMPLE_HZ // 2


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([8000, 16000, 22050, 44100, 96000]), st.integers(1, 3900))
def test_resampling_keeps_a_tone(rate: int, hz: int) -> None:
    x = np.sin(2 * np.pi * hz * np.arange(rate) / rate)
    want = np.sin(2 * np.pi * hz * np.arange(SAMPLE_HZ) / SAMPLE_HZ)
    assert np.max(np.abs(resample(x, rate, SAMPLE_HZ) - want)) < 1e-9


def test_resampling_cuts_what_would_alias() -> None:
    x = np.sin(2 * np.pi * 40_000 * np.arange(96_000) / 96_000)
    assert np.max(np.abs(resample(x, 96_000, SAMPLE_HZ))) < 1e-9


def test_resampling_agrees_with_scipy() -> None:
    draw = np.random.default_rng(2)
    x = np.asarray(signal.lfilter(*signal.butter(4, 5000, fs=44100), draw.normal(0, 1, 44100)))
    ours = resample(x, 44100, SAMPLE_HZ)
    theirs = signal.resample_poly(x, 160, 147, window=("kaiser", 12.0))
    inner = slice(2000, -2000)
    assert np.max(np.abs(ours[inner] - theirs[inner])) < 0.01 * np.max(np.abs(x))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"RIFF nonsense", "not a PCM WAV file (not a WAVE file)"),
        (b"nonsense, and more of it", "not a PCM WAV file (file does not start with RIFF id)"),
        (b"", "the file is empty"),
        (b"RIFF", "not a PCM WAV file (it ends within its header)"),
        (WAV[:20], "not a PCM WAV file (it ends within its header)"),
        (wav(samples=1), "shorter than 0.1 s"),
        (wav(samples=799), "shorter than 0.1 s"),
        (wav(samples=0), "shorter than 0.1 s"),
        (wav(rate=0), "its rate is 0 Hz, 1 to 384000 are possible"),
        (wav(rate=384_001), "its rate is 384001 Hz, 1 to 384000 are possible"),
        (wav(width=8), "its samples have 64 bits, 8 to 32 are possible"),
        (b"RIFF\x10\0\0\0WAVEjunk\x50\0\0\0" + WAV[12:], "the lengths in it are wrong"),
        (wav(rate=1, samples=1 << 20), "longer than 15 minutes"),
    ],
    ids=[str(n) for n in range(13)],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        Recording(path, 70).signal()
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(st.binary(max_size=80) | st.tuples(
    st.integers(0, 60), st.binary(min_size=1, max_size=8)
).map(lambda hit: WAV[: hit[0]] + hit[1] + WAV[hit[0] + len(hit[1]) :]))  # fmt: skip
def test_a_damaged_recording_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.wav"
        path.write_bytes(content)
        try:
            rate, x = read_wav(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
        else:
            assert len(x) >= 0.1 * rate
            assert np.max(np.abs(x)) <= 1


@given(st.integers(1, 20), st.integers(0, 100), st.integers(1, 3000))
def test_a_loop_goes_round_however_short_it_is(frames: int, position: int, wanted: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loop.s32"
        path.write_bytes(np.arange(frames, dtype="<i4").tobytes())
        heard = np.frombuffer(Loop(path).read(position, wanted), "<i4")
    assert (heard == np.arange(position, position + wanted) % frames).all()


def test_silence_and_overload_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_wav(path, np.zeros(4800), 48000, 2, 1)
    with pytest.raises(ValueError, match="silence"):
        Recording(path, 70).signal()
    click = np.zeros(48000)
    click[0] = 0.9
    write_wav(path, click, 48000, 2, 1)
    with pytest.raises(ValueError, match=r"overloads the microphone: give 7. dB or less"):
        Recording(path, 90).signal()


def test_a_synthetic_street_follows_its_seed(tmp_path: Path) -> None:
    one, same, other = (SyntheticStreet(seed).samples(tmp_path) for seed in (1, 1, 2))
    assert one == same
    assert one.read_bytes() != other.read_bytes()
    loop = words(one)
    assert abs(level_db(loop) - 68) < 0.05
    quiet, loud = np.percentile([level_db(s) for s in loop.reshape(-1, 6000)], [10, 95])
    assert loud - quiet > 8, "vehicles pass"
    assert abs(int(loop[0]) - int(loop[-1])) < 2**29, "the end meets the beginning"


def test_a_board_hears_every_sample_once_and_in_time(bench: VirtualBench, tmp_path: Path) -> None:
    dump = tmp_path / "dump.s32"
    # 441 Hz and a round of 48,000 samples: a shift or a repeat anywhere shows
    world = World(street=Tone(441, 94), dump=dump)
    board = bench.board("hears", {"/main.py": LISTEN % 60_000}, world=world)
    board.power_on()
    seen = int(board.wait_console(r"heard \d+").split()[1])
    board.power_off()
    heard = np.frombuffer(board.read_file("/heard"), "<i4")
    delivered = words(dump)
    loop = words(next(bench.folder.glob("sound-*.s32")))
    assert len(heard) == seen >= 60_000
    assert (heard == np.tile(loop, 2)[:seen]).all(), "lost, doubled or out of order"
    assert (delivered[:seen] == heard).all()
    assert abs(level_db(heard[:48_000]) - 94) < 0.05
    notes = [json.loads(line) for line in dump.with_suffix(".jsonl").read_text().splitlines()]
    assert notes[0]["sample"] == 0
    for earlier, later in itertools.pairwise(notes):
        samples = later["sample"] - earlier["sample"] + later["lost"]
        assert abs((later["time"] - earlier["time"]) * SAMPLE_HZ - samples) < 2


def test_a_board_that_does_not_listen_loses_and_it_is_counted(
    bench: VirtualBench, tmp_path: Path
) -> None:
    dump = tmp_path / "dump.s32"
    program = LISTEN.replace(b"    seen = 0\n", b"    seen = 0\n    __import__('time').sleep(1)\n")
    world = World(street=Tone(441, 94), dump=dump)
    board = bench.board("deaf", {"/main.py": program % 30_000}, world=world)
    board.power_on()
    board.wait_console("heard")
    board.power_off()
    assert 20_000 < board.sound_dropped < 48_000
    notes = [json.loads(line) for line in dump.with_suffix(".jsonl").read_text().splitlines()]
    lost = [note["lost"] for note in notes if note["lost"]]
    assert lost[0] > 20_000, "of the second without a read, in one run"
    assert sum(lost[1:]) < 5_000, "a busy computer may cost a little more"
    assert sum(lost) <= board.sound_dropped
    heard = np.frombuffer(board.read_file("/heard"), "<i4")
    assert (words(dump)[: len(heard)] == heard).all()


def test_blocking_reads_fill_the_buffer_and_a_plug_can_be_pulled(bench: VirtualBench) -> None:
    board = bench.board(
        "plug",
        {
            "/main.py": b"""
import machine
line = machine.I2S(1, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),
    mode=machine.I2S.RX, bits=32, format=machine.I2S.MONO, rate=48000, ibuf=8000)
block = bytearray(6000)
while True:
    print("block", line.readinto(block), any(block))
"""
        },
        world=World(street=Tone(441, 94)),
    )
    board.power_on()
    board.wait_console("block 6000 True")
    board.world.unplug("microphone")
    board.wait_console("block 6000 False")
    board.world.plug("microphone")
    board.wait_console("(?s)False.*True")


def test_another_rate_is_refused_plainly(bench: VirtualBench) -> None:
    board = bench.board("rate", {"/main.py": LISTEN.replace(b"48000", b"16000") % 1})
    board.power_on()
    board.wait_console("ValueError: the world's microphone streams 48000 Hz only")
