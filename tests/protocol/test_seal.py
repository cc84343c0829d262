"""The seal against `cryptography` and the standard library, and against who would break it."""

import hashlib
import hmac
import os
import random

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_protocol import seal
from lampione_protocol.ccm import Ccm
from lampione_protocol.errors import (
    EpochError,
    ProtocolError,
    RangeError,
    SealError,
    TooLongError,
    TruncatedError,
    VersionError,
)
from lampione_protocol.schema import COMMAND, HELLO, REPORT, WATERMARK

from tests.protocol.both import aes_ecb

KEY = bytes(range(32))
NODE = b"porta-romana-1"
EPOCH = b"\xa1\xb2\xc3\xd4"
SESSION = b"\x01\x02\x03\x04"
texts = st.binary(max_size=33)
keys = st.binary(min_size=32, max_size=32)
epochs = st.binary(min_size=4, max_size=4)


def sealed_down(
    text: bytes,
    counter: int = 1,
    *,
    key: bytes = KEY,
    node: bytes = NODE,
    epoch: bytes = EPOCH,
    kind: int = COMMAND,
) -> bytearray:
    """Seal as a controller does."""
    header = seal.down_header(kind, epoch, SESSION, counter)
    cipher = AESCCM(seal.down_key(key, epoch), tag_length=8)
    return bytearray(header + cipher.encrypt(header, text, header + node))


def opener(node: bytes = NODE) -> seal.DownOpener:
    return seal.DownOpener(Ccm(aes_ecb(seal.down_key(KEY, EPOCH))), node, EPOCH)


def open_up(frame: bytes, *, key: bytes = KEY, node: bytes = NODE) -> bytes:
    """Open as a controller does."""
    _, epoch, _, _ = seal.parse_up(frame)
    header = frame[: seal.UP_HEADER]
    return AESCCM(seal.up_key(key, epoch), tag_length=8).decrypt(
        seal.nonce(frame, seal.UP_HEADER), frame[seal.UP_HEADER :], header + node
    )


def sealed_up(text: bytes, boot: int = 7, seq: int = 258, kind: int = REPORT) -> bytes:
    buf = bytearray(seal.UP_HEADER) + text + bytearray(seal.TAG_BYTES)
    sealer = seal.UpSealer(Ccm(aes_ecb(seal.up_key(KEY, EPOCH))), NODE, EPOCH, boot)
    return bytes(buf[: sealer.seal(kind, seq, buf, seal.UP_HEADER + len(text))])


@given(st.binary(max_size=64), st.binary(max_size=200))
def test_hmac_is_the_standard_librarys(key: bytes, message: bytes) -> None:
    assert seal.hmac_sha256(key, message) == hmac.digest(key, message, hashlib.sha256)


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=13, max_size=13),
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.sampled_from([4, 6, 8, 10, 12, 14, 16]),
)
def test_ccm_is_cryptographys(
    key: bytes, nonce: bytes, ad: bytes, text: bytes, tag_bytes: int
) -> None:
    want = AESCCM(key, tag_length=tag_bytes).encrypt(nonce, text, ad)
    ccm = Ccm(aes_ecb(key), tag_bytes)
    buf = bytearray(b"\xaa\xaa" + text + bytes(tag_bytes) + b"\xbb")
    end = ccm.seal(nonce, ad, buf, 2, 2 + len(text))
    assert buf == b"\xaa\xaa" + want + b"\xbb"
    assert ccm.open(nonce, ad, buf, 2, end) == 2 + len(text)
    assert buf[2 : 2 + len(text)] == text


@given(texts, st.integers(0, 65534), st.integers(0, 16777214), st.integers(2, 31))
def test_up(text: bytes, boot: int, seq: int, kind: int) -> None:
    frame = sealed_up(text, boot, seq, kind)
    assert seal.parse_up(frame) == (kind, EPOCH, boot, seq)
    assert open_up(frame) == text
    assert len(frame) == seal.UP_HEADER + len(text) + seal.TAG_BYTES


@given(texts.filter(lambda t: len(t) <= 30), st.integers(0, seal.COUNTER_MAX))
def test_down(text: bytes, counter: int) -> None:
    frame = sealed_down(text, counter)
    kind, got, end = opener().open(frame)
    assert (kind, got, bytes(frame[seal.DOWN_HEADER : end])) == (COMMAND, counter, text)


@given(texts)
def test_hello(text: bytes) -> None:
    random9 = os.urandom(9)
    buf = bytearray(seal.HELLO_HEADER) + text + bytearray(seal.TAG_BYTES)
    cipher = Ccm(aes_ecb(seal.hello_key(KEY)))
    end = seal.seal_hello(cipher, NODE, random9, HELLO, buf, seal.HELLO_HEADER + len(text))
    frame = bytes(buf[:end])
    assert seal.message_type(frame, seal.HELLO_HEADER) == HELLO
    header = frame[: seal.HELLO_HEADER]
    assert header[1:] == random9
    opened = AESCCM(seal.hello_key(KEY), tag_length=8).decrypt(
        header + bytes(3), frame[seal.HELLO_HEADER :], header + NODE
    )
    assert opened == text


@given(keys, epochs, epochs)
def test_no_two_purposes_share_a_key(key: bytes, epoch: bytes, other: bytes) -> None:
    drawn = [seal.up_key(key, epoch), seal.down_key(key, epoch), seal.hello_key(key)]
    if epoch != other:
        drawn += [seal.up_key(key, other), seal.down_key(key, other)]
    assert len(set(drawn)) == len(drawn)
    assert all(len(k) == 16 for k in drawn)


def test_nonces_differ_in_everything_that_changes() -> None:
    frames = [
        sealed_up(b"x", 7, 258),
        sealed_up(b"x", 7, 259),
        sealed_up(b"x", 8, 258),
        sealed_up(b"x", 7, 258, 3),
        sealed_up(b"x", 7, 258 << 8),
    ]
    assert len({seal.nonce(f, seal.UP_HEADER) for f in frames}) == len(frames)
    assert all(len(seal.nonce(f, seal.UP_HEADER)) == 13 for f in frames)


def test_foreign_node_key_and_epoch() -> None:
    with pytest.raises(SealError):
        opener().open(sealed_down(b"off", node=b"porta-romana-2"))
    with pytest.raises(SealError):
        opener().open(sealed_down(b"off", key=bytes(32)))
    with pytest.raises(EpochError) as refused:
        opener().open(sealed_down(b"off", epoch=b"\0\0\0\1"))
    assert refused.value.args == (EPOCH, b"\0\0\0\1")
    frame = sealed_down(b"off", epoch=b"\0\0\0\1")
    frame[1:5] = EPOCH  # the old frame with the new epoch written over it
    with pytest.raises(SealError):
        opener().open(frame)
    # one node's frame sent under another's name, upwards
    with pytest.raises(InvalidTag):
        open_up(sealed_up(b"x"), node=b"porta-romana-2")


def test_a_frame_of_the_other_direction_is_refused() -> None:
    with pytest.raises(ProtocolError):
        opener().open(bytearray(sealed_up(bytes(20))))


def test_versions() -> None:
    for version in range(8):
        frame = sealed_down(b"x")
        frame[0] = version << 5 | COMMAND
        if version == 1:
            opener().open(frame)
            continue
        with pytest.raises(VersionError) as refused:
            opener().open(frame)
        assert refused.value.args == (1, version)
        with pytest.raises(VersionError):
            seal.parse_up(bytes(frame))


def test_every_type_is_carried_and_bound() -> None:
    """Types not known yet open, so that they can be skipped and counted; none can be swapped."""
    for kind in range(32):
        assert opener().open(sealed_down(b"text", kind=kind))[0] == kind
    frame = sealed_down(b"text", kind=WATERMARK)
    frame[0] = seal.first_byte(COMMAND)
    with pytest.raises(SealError):
        opener().open(frame)


def test_cut_and_grown() -> None:
    whole = sealed_down(bytes(30))
    assert len(whole) == seal.FRAME_MAX
    opener().open(bytearray(whole))
    for size in range(len(whole)):
        short = size < seal.DOWN_HEADER + seal.TAG_BYTES
        with pytest.raises(TruncatedError if short else SealError):
            opener().open(whole[:size])
        if size < seal.UP_HEADER + seal.TAG_BYTES:
            with pytest.raises(TruncatedError):
                seal.parse_up(bytes(whole[:size]))
    with pytest.raises(TooLongError):
        opener().open(whole + b"\0")
    with pytest.raises(SealError):
        opener().open(sealed_down(bytes(20)) + b"\0")
    with pytest.raises(SealError):
        Ccm(aes_ecb(KEY[:16])).open(bytes(13), b"", bytearray(7), 0, 7)


def test_nothing_of_a_refused_text_stays() -> None:
    frame = sealed_down(b"secret text")
    frame[-1] ^= 1
    with pytest.raises(SealError):
        opener().open(frame)
    assert frame[seal.DOWN_HEADER : -seal.TAG_BYTES] == bytes(11)


@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    frame = sealed_down(data.draw(texts.filter(lambda t: len(t) <= 30)), 5)
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(ProtocolError):
        opener().open(frame)


def forge(count: int, seed: int) -> tuple[int, dict[str, int]]:
    """Send `count` forged frames; return (accepted, refused by error)."""
    rng = random.Random(seed)
    node = opener()
    good = [sealed_down(rng.randbytes(rng.randrange(31)), n) for n in range(50)]
    refused: dict[str, int] = {}
    accepted = 0
    for n in range(count):
        frame = bytearray(rng.choice(good))
        match n % 5:
            case 0:  # bits
                for _ in range(rng.randrange(1, 9)):
                    frame[rng.randrange(len(frame))] ^= rng.randrange(1, 256)
                if frame in good:
                    continue
            case 1:
                del frame[rng.randrange(len(frame)) :]
            case 2:  # the head of one, the rest of another
                other = rng.choice(good)
                if other == frame:
                    continue
                frame[: seal.DOWN_HEADER] = other[: seal.DOWN_HEADER]
            case 3:
                frame = bytearray(rng.randbytes(rng.randrange(80)))
            case _:
                frame[5:13] = rng.randbytes(8)  # another session and counter
        try:
            node.open(frame)
        except ProtocolError as error:
            name = type(error).__name__
            refused[name] = refused.get(name, 0) + 1
        else:
            accepted += 1
    return accepted, refused


def test_forged_frames() -> None:
    accepted, refused = forge(10_000, 1)
    assert accepted == 0
    assert set(refused) == {
        "SealError",
        "TruncatedError",
        "VersionError",
        "EpochError",
        "TooLongError",
    }


@pytest.mark.soak
def test_forged_frames_long() -> None:
    accepted, _ = forge(1_000_000, int.from_bytes(os.urandom(4), "big"))
    assert accepted == 0


def test_counters_stay_where_hello_can_say_them() -> None:
    for wrong in (-1, seal.COUNTER_MAX + 1, 1 << 32):
        with pytest.raises(RangeError):
            seal.down_header(COMMAND, EPOCH, SESSION, wrong)


@settings(max_examples=20)
@given(st.binary(max_size=100))
def test_rubbish_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        opener().open(bytearray(frame))
