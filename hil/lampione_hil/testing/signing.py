"""The bench's own key, and what it signs: canonical JSON (RFC 8785), Ed25519 (RFC 8032)."""

import base64
import binascii
import contextlib
import hashlib
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from lampione_hil.board import BenchError
from lampione_hil.testing.shape import wrong

FORMAT, VERSION = "lampione-hil-record", 1
BYTES_MAX = 64 << 20  # of a record that is read
_FILE = "bench.key"
_SIGNATURE = "signature"


class SignatureError(BenchError):
    """A record is not what was signed, or not by whom it says; the text says which."""


def canonical(value: object) -> bytes:
    """Return the one way to write a JSON value. Raises ValueError for what has none."""
    return _write(value).encode()


def _write(value: object) -> str:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key that is no text")
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_write(key)}:{_write(value[key])}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_write, value)) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        value.encode()  # half a surrogate pair has no UTF-8: UnicodeEncodeError is a ValueError
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        try:
            return _number(float(value))  # a number of JSON is a double, whatever it looks like
        except OverflowError:
            raise ValueError("a number is too large") from None
    raise ValueError(f"{type(value).__name__} has no JSON")


def _number(value: float) -> str:
    """Write a number as ECMAScript does: the fewest digits, an exponent for far ones only."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} has no JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # Python's repr has the fewest digits too; "d.dde±x" of it gives digits and where the point is.
    mantissa, _, exponent = f"{Decimal(repr(abs(value))).normalize():e}".partition("e")
    stripped = mantissa.replace(".", "")
    count, point = len(stripped), int(exponent) + 1  # digits before the point
    if count <= point <= 21:
        return sign + stripped + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{stripped[:point]}.{stripped[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{stripped}"
    tail = f".{stripped[1:]}" if count > 1 else ""
    return f"{sign}{stripped[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


class BenchKey:
    """The key of a bench. Made once, by `lampione hil doctor`, in a file of mode 0600."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def load(cls, folder: Path) -> "BenchKey | None":
        """Return the key of a folder, None when it has none. Raises BenchError."""
        path = folder / _FILE
        try:
            mode = path.stat().st_mode
            pem = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BenchError(f"{path}: {error.strerror}") from None
        if mode & 0o077:
            raise BenchError(f"{path} can be read by others: chmod 600 {path}")
        with contextlib.suppress(ValueError, TypeError):
            key = load_pem_private_key(pem, None)
            if isinstance(key, Ed25519PrivateKey):
                return cls(key)
        raise BenchError(f"{path} holds no Ed25519 key: move it away, then `lampione hil doctor`")

    @classmethod
    def make(cls, folder: Path) -> "BenchKey":
        """Return the key of a folder; make it where there is none. Raises BenchError."""
        found = cls.load(folder)
        if found is not None:
            return found
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = folder / _FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_suffix(f".{os.getpid()}")
            try:
                with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(pem)
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):  # somebody else was first: theirs counts
                    os.link(new, path)
            finally:
                new.unlink(missing_ok=True)
        except OSError as error:
            raise BenchError(f"{path}: {error.strerror}") from None
        return cls.load(folder) or cls(key)

    @property
    def fingerprint(self) -> str:
        """What people compare."""
        return fingerprint(self.public)

    def sign(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with the key that signs it, and the signature."""
        signed = {**record, "signed_by": {"key": base64.b64encode(self.public).decode(),
                                          "fingerprint": self.fingerprint}}  # fmt: skip
        signed.pop(_SIGNATURE, None)
        signature = self._key.sign(canonical(signed))
        return {**signed, _SIGNATURE: base64.b64encode(signature).decode()}


def fingerprint(public: bytes) -> str:
    """Return the first 16 bytes of a key's SHA-256, in fours."""
    text = hashlib.sha256(public).hexdigest()[:32]
    return " ".join(text[at : at + 4] for at in range(0, 32, 4))


def verify(record: dict[str, Any]) -> str:
    """Return the fingerprint of the key that signed a record. Raises SignatureError."""
    unsigned = {key: value for key, value in record.items() if key != _SIGNATURE}
    by = record.get("signed_by")
    if not isinstance(by, dict) or not isinstance(record.get(_SIGNATURE), str):
        raise SignatureError("nobody has signed it: run `lampione hil doctor`, then test again")
    try:
        public = base64.b64decode(by.get("key", ""), validate=True)
        signature = base64.b64decode(record[_SIGNATURE], validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, canonical(unsigned))
    except (ValueError, TypeError, binascii.Error):
        raise SignatureError("its key or signature is damaged: it proves nothing") from None
    except InvalidSignature:
        raise SignatureError("it was changed after it was signed: it proves nothing") from None
    found = fingerprint(public)
    if by.get("fingerprint") != found:
        raise SignatureError("the fingerprint in it is not that of its key: it proves nothing")
    return found


def read(path: Path) -> dict[str, Any]:
    """Return a record from a file, or from record.json of a run's folder. Raises BenchError."""
    path = path / "record.json" if path.is_dir() else path
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
        if len(text) > BYTES_MAX:
            raise BenchError(f"{path} is too large for a record")
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path} is no record: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BenchError(f"{path} is no record: it does not say {FORMAT!r}")
    if found.get("version") != VERSION:
        raise BenchError(f"{path} is a record of version {found.get('version')}: not known here")
    if why := wrong(found):
        raise BenchError(f"{path} is no record: {why}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
