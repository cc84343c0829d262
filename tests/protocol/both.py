"""What the protocol's tests run on both Pythons: checks of vector files, and answers to questions.

Imported by pytest on CPython. As a script on MicroPython it reads questions, one a line, and
prints an answer a line; `test_cross.py` puts the same questions to both.
"""

import sys

from lampione_protocol import bench, ccm, codec, seal, stream
from lampione_protocol.errors import ProtocolError
from lampione_protocol.names import ALL_MESSAGES


def aes_ecb(key: bytes):  # type: ignore[no-untyped-def]
    """Return AES-ECB over one block: `encrypt(block, out)`."""
    try:
        from cryptolib import aes  # type: ignore[import-not-found]
    except ImportError:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        class Aes:
            def __init__(self) -> None:
                self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()

            def encrypt(self, block: bytes, out: bytearray) -> None:
                out[:] = self._encryptor.update(bytes(block))

        return Aes()
    return aes(key, 1)


def fields_of(name: str) -> tuple:
    """Return the fields of a message."""
    for _, known, fields in ALL_MESSAGES + bench.MESSAGES:
        if known == name:
            return fields
    raise KeyError(name)


def number_of(name: str) -> int:
    """Return the type number of a message."""
    for number, known, _ in ALL_MESSAGES:
        if known == name:
            return number
    raise KeyError(name)


def to_text(field: tuple, value: "int | bytes | None") -> str:
    """Write a value as the vector files do: "-" is unknown, bytes are hex, empty is "0x"."""
    if value is None:
        return "-"
    if field[1] in ("y", "t"):
        return "0x" + value.hex()  # type: ignore[union-attr]
    return str(value)


def from_text(text: str):  # type: ignore[no-untyped-def]
    """Read a value of a vector file."""
    if text == "-":
        return None
    if text[:2] == "0x":
        return bytes.fromhex(text[2:])
    return int(text)


def blocks(text: str) -> list:
    """Return the blocks of a vector file: lists of (key, value), divided by empty lines."""
    found: list = [[]]
    for line in text.split("\n"):
        said = line.split("#")[0].strip()
        if said:
            key, value = said.split(" ", 1)
            found[-1].append((key, value.strip()))
        elif not line.strip() and found[-1]:  # a comment alone divides nothing
            found.append([])
    return [block for block in found if block]


def _message(block: list) -> "str | None":
    given = dict(block)
    fields = fields_of(given["message"])
    # A vector may be older than a field: what was spare then reads unknown now.
    values = [from_text(given.get(field[0], "-")) for field in fields if field[1] != "x"]
    wire = bytes.fromhex(given["wire"])
    spared = []
    for field in fields:
        spared.append(None if field[1] == "x" else values.pop(0))
    decoded = codec.decode(fields, wire, 0, len(wire))
    for field, value, got in zip(fields, spared, decoded):
        if got != (value or b"" if field[1] == "t" else value):
            return "%s reads %s" % (field[0], got)
    if codec.encode(fields, spared) != wire:
        return "encodes as " + codec.encode(fields, spared).hex()
    return None


def _up(block: list) -> "str | None":
    given = dict(block)
    wire = bytes.fromhex(given["wire"])
    text = bytes.fromhex(given["text"])
    buf = bytearray(64)
    buf[seal.UP_HEADER : seal.UP_HEADER + len(text)] = text
    key = seal.up_key(bytes.fromhex(given["key"]), bytes.fromhex(given["epoch"]))
    sealer = seal.UpSealer(
        ccm.Ccm(aes_ecb(key)),
        given["node"].encode(),
        bytes.fromhex(given["epoch"]),
        int(given["boot"]),
    )
    end = sealer.seal(number_of(given["up"]), int(given["seq"]), buf, seal.UP_HEADER + len(text))
    return None if bytes(buf[:end]) == wire else "seals as " + bytes(buf[:end]).hex()


def _hello(block: list) -> "str | None":
    given = dict(block)
    wire = bytes.fromhex(given["wire"])
    text = bytes.fromhex(given["text"])
    buf = bytearray(64)
    buf[seal.HELLO_HEADER : seal.HELLO_HEADER + len(text)] = text
    cipher = ccm.Ccm(aes_ecb(seal.hello_key(bytes.fromhex(given["key"]))))
    end = seal.seal_hello(
        cipher,
        given["node"].encode(),
        bytes.fromhex(given["random"]),
        number_of("Hello"),
        buf,
        seal.HELLO_HEADER + len(text),
    )
    return None if bytes(buf[:end]) == wire else "seals as " + bytes(buf[:end]).hex()


def _down(block: list) -> "str | None":
    given = dict(block)
    wire = bytearray(bytes.fromhex(given["wire"]))
    epoch = bytes.fromhex(given["epoch"])
    header = seal.down_header(
        number_of(given["down"]), epoch, bytes.fromhex(given["session"]), int(given["counter"])
    )
    if bytes(wire[: seal.DOWN_HEADER]) != header:
        return "header " + header.hex()
    cipher = ccm.Ccm(aes_ecb(seal.down_key(bytes.fromhex(given["key"]), epoch)))
    opener = seal.DownOpener(cipher, given["node"].encode(), epoch)
    kind, counter, end = opener.open(wire)
    got = (kind, counter, bytes(wire[seal.DOWN_HEADER : end]).hex())
    want = (number_of(given["down"]), int(given["counter"]), given["text"])
    return None if got == want else "opens as %s" % (got,)


def _ccm(block: list) -> "str | None":
    given = dict(block)
    text = bytes.fromhex(given["text"])
    wire = bytes.fromhex(given["wire"])
    nonce = bytes.fromhex(given["nonce"])
    ad = bytes.fromhex(given["ad"])
    cipher = ccm.Ccm(aes_ecb(bytes.fromhex(given["key"])), int(given["tag"]))
    buf = bytearray(text + bytes(16))
    end = cipher.seal(nonce, ad, buf, 0, len(text))
    if bytes(buf[:end]) != wire:
        return "seals as " + bytes(buf[:end]).hex()
    end = cipher.open(nonce, ad, buf, 0, end)
    return None if bytes(buf[:end]) == text else "opens as " + bytes(buf[:end]).hex()


def _line(block: list) -> "str | None":
    given = dict(block)
    frame = bytes.fromhex(given["frame"])
    wire = bytes.fromhex(given["wire"])
    if stream.wrap(frame) != wire:
        return "goes as " + stream.wrap(frame).hex()
    return None if stream.Decoder(255).feed(wire) == [frame] else "is not found again"


def _hmac(block: list) -> "str | None":
    given = dict(block)
    got = seal.hmac_sha256(bytes.fromhex(given["hmac"]), bytes.fromhex(given["text"])).hex()
    return None if got == given["wire"] else "gives " + got


CHECKS = {
    "message": _message,
    "up": _up,
    "hello": _hello,
    "down": _down,
    "ccm": _ccm,
    "line": _line,
    "hmac": _hmac,
}


def check_vectors(text: str) -> tuple:
    """Return (vectors checked, what is wrong) of a vector file's text."""
    wrong = []
    found = blocks(text)
    for block in found:
        problem = CHECKS[block[0][0]](block)
        if problem:
            wrong.append("%s: %s" % (block[1][1], problem))
    return len(found), wrong


def _open_down(parts: list) -> str:
    key, node, epoch, frame = parts
    cipher = ccm.Ccm(aes_ecb(seal.down_key(bytes.fromhex(key), bytes.fromhex(epoch))))
    buf = bytearray(bytes.fromhex(frame))
    kind, counter, end = seal.DownOpener(cipher, node.encode(), bytes.fromhex(epoch)).open(buf)
    return "%d %d 0x%s" % (kind, counter, bytes(buf[seal.DOWN_HEADER : end]).hex())


def _seal_up(parts: list) -> str:
    key, node, epoch, boot, seq, kind, message = parts
    cipher = ccm.Ccm(aes_ecb(seal.up_key(bytes.fromhex(key), bytes.fromhex(epoch))))
    text = bytes.fromhex(message)
    buf = bytearray(seal.UP_HEADER) + text + bytearray(seal.TAG_BYTES)
    sealer = seal.UpSealer(cipher, node.encode(), bytes.fromhex(epoch), int(boot))
    return bytes(buf[: sealer.seal(int(kind), int(seq), buf, seal.UP_HEADER + len(text))]).hex()


def answer(question: str) -> str:
    """Answer one line. What the protocol refuses is answered by the error's name."""
    what, *parts = question.split()
    try:
        if what == "encode":
            return codec.encode(fields_of(parts[0]), [from_text(p) for p in parts[1:]]).hex()
        if what == "decode":
            fields = fields_of(parts[0])
            data = from_text(parts[1])
            values = codec.decode(fields, data, 0, len(data))
            return " ".join([to_text(f, v) for f, v in zip(fields, values)])
        if what == "up":
            return _seal_up(parts)
        if what == "down":
            return _open_down(parts)
        if what == "wrap":
            return stream.wrap(from_text(parts[0])).hex()
        if what == "feed":
            decoder = stream.Decoder(int(parts[0]))
            frames = decoder.feed(from_text(parts[1]))
            counts = [str(decoder.damaged), str(decoder.too_long)]
            return " ".join(counts + ["0x" + f.hex() for f in frames])
    except ProtocolError as error:
        return type(error).__name__ + " " + " ".join([str(a) for a in error.args])
    raise ValueError(question)


def main(paths: list) -> None:
    """Check the vector files that are named; without one, answer questions until stdin ends."""
    failed = False
    for path in paths:
        with open(path) as file:
            count, wrong = check_vectors(file.read())
        print(path, count, "vectors")
        for problem in wrong:
            print("  wrong:", problem)
        failed = failed or bool(wrong)
    if not paths:
        while True:
            line = sys.stdin.readline()
            if not line:
                break
            print(answer(line))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
