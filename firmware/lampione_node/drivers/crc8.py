"""Sensirion's checksum (datasheets of the SHT4x and SPS30)."""

# what four bits that leave do to the eight that stay, by the polynomial 0x31
_FOUR = b"\x00\x31\x62\x53\xc4\xf5\xa6\x97\xb9\x88\xdb\xea\x7d\x4c\x1f\x2e"


def crc8(buf, start, end):
    """Return the checksum of buf[start:end]: polynomial 0x31, first value 0xFF."""
    crc = 0xFF
    for i in range(start, end):
        crc ^= buf[i]
        crc = (crc << 4 & 0xF0) ^ _FOUR[crc >> 4]
        crc = (crc << 4 & 0xF0) ^ _FOUR[crc >> 4]
    return crc
