"""Messages to bits and back, over the schema's tuples. No message has code of its own.

Most significant bit first, fields in order, no alignment. `encode_into` allocates nothing, so a
node may call it from its hot path; `decode` believes nothing that it was sent.
"""

from lampione_protocol.errors import RangeError, TooLongError, TruncatedError

_MANTISSA_BITS = 6
_MANTISSA_MAX = 63


def width_bytes(fields: tuple) -> int:
    """Return the most bytes that a message of these fields takes."""
    bits = 7
    for field in fields:
        bits += field[2]
        if field[1] == "t":
            bits += 8
    return bits // 8


def _raw(field: tuple, value: "int | None") -> int:
    """Return what stands on the wire for a number. Raises RangeError.

    Unknown is -1, whose low bits are all ones at any width: on a 32-bit board `1 << 30` is a
    long integer, that is, an allocation.
    """
    kind = field[1]
    if kind == "x" or (value is None and kind != "c"):
        return -1
    if not isinstance(value, int) or value < field[3] or value > field[4]:
        raise RangeError(field[0], value, field[3], field[4])
    if kind != "m":
        return value - field[3]
    exponent = 0
    while value > _MANTISSA_MAX:
        value = (value + 1) >> 1
        exponent += 1
    return exponent << _MANTISSA_BITS | value


def encode_into(
    fields: tuple, values: "list | tuple", buf: "bytearray | memoryview", pos: int
) -> int:
    """Write a message into `buf` from `pos` on and return where it ends.

    Args:
        fields: of the schema.
        values: one a field, in order: integers in steps, None for unknown, bytes or str for
            kinds "y" and "t"; what stands for a spare field is not looked at, and may be left
            out at the end.

    Raises:
        RangeError: a value that its field cannot hold; nothing after `pos` counts then.
        IndexError: `buf` is too short.
    """
    held = 0  # bits of the unfinished byte, right-aligned
    count = 0
    i = 0
    for field in fields:
        kind = field[1]
        if kind == "y" or kind == "t":
            # Never None on the wire: four zero bytes are "no challenge", an empty text no text.
            data = values[i] or b""
            if kind == "t":
                data = data.encode() if isinstance(data, str) else data
                if len(data) * 8 > field[2]:
                    raise RangeError(field[0], len(data), 0, field[2] // 8)
                left = len(data) + 1
            else:
                left = field[2] // 8
                if data and len(data) != left:
                    raise RangeError(field[0], len(data), left, left)
            at = 0
            while at < left:
                if kind == "t":
                    byte = data[at - 1] if at else len(data)
                else:
                    byte = data[at] if data else 0
                at += 1
                held = held << 8 | byte
                buf[pos] = held >> count & 255
                pos += 1
                held &= (1 << count) - 1
        else:
            bits = field[2]
            raw = _raw(field, values[i] if i < len(values) else None)
            while bits:
                take = 8 - count
                if take > bits:
                    take = bits
                bits -= take
                held = held << take | (raw >> bits & ((1 << take) - 1))
                count += take
                if count == 8:
                    buf[pos] = held
                    pos += 1
                    held = count = 0
        i += 1
    if count:
        buf[pos] = held << (8 - count) | ((1 << (8 - count)) - 1)
        pos += 1
    return pos


def encode(fields: tuple, values: "list | tuple") -> bytes:
    """Return a message's bytes. Raises RangeError. For hosts and tests: it allocates."""
    buf = bytearray(width_bytes(fields))
    return bytes(buf[: encode_into(fields, values, buf, 0)])


def _read(buf: "bytes | bytearray | memoryview", bit: int, bits: int) -> int:
    value = 0
    while bits:
        offset = bit & 7
        take = 8 - offset
        if take > bits:
            take = bits
        value = value << take | (buf[bit >> 3] >> (8 - offset - take) & ((1 << take) - 1))
        bit += take
        bits -= take
    return value


def decode(fields: tuple, buf: "bytes | bytearray | memoryview", pos: int, end: int) -> list:
    """Return the values, one a field, of the message in `buf[pos:end]`.

    A message that ends early leaves the fields after its end unknown (an older sender); bytes
    beyond the last field are skipped (a newer one). Spare fields give None.

    Raises:
        RangeError: a number outside its field's range.
        TruncatedError: the message ends within its first field, or within a text.
        TooLongError: a text longer than its field.
    """
    values: list = []
    bit = pos * 8
    last = end * 8
    if end > len(buf) or last - bit < fields[0][2]:
        raise TruncatedError("message", (fields[0][2] + 7) // 8, end - pos)
    for field in fields:
        kind = field[1]
        bits = field[2]
        if kind == "t" and last - bit >= 8:
            size = _read(buf, bit, 8)
            bit += 8
            if size * 8 > bits:
                raise TooLongError(field[0], bits // 8, size)
            if last - bit < size * 8:
                raise TruncatedError(field[0], size, (last - bit) // 8)
            values.append(bytes([_read(buf, bit + 8 * n, 8) for n in range(size)]))
            bit += size * 8
            continue
        if last - bit < bits:
            values.append(None)
            bit = last
            continue
        if kind == "y":
            values.append(bytes([_read(buf, bit + 8 * n, 8) for n in range(bits // 8)]))
        elif kind == "x":
            values.append(None)
        else:
            raw = _read(buf, bit, bits)
            if kind != "c" and raw == (1 << bits) - 1:
                values.append(None)
            else:
                if kind == "m":
                    value = (raw & _MANTISSA_MAX) << (raw >> _MANTISSA_BITS)
                else:
                    value = raw + field[3]
                if value > field[4]:
                    raise RangeError(field[0], value, field[3], field[4])
                values.append(value)
        bit += bits
    return values


def index(fields: tuple, name: str) -> int:
    """Return where a field stands among the values. Raises KeyError."""
    for i in range(len(fields)):
        if fields[i][0] == name:
            return i
    raise KeyError(name)
