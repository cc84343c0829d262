"""Sensirion's checksum (datasheets of the SHT4x and SPS30)."""


def crc8(buf, start, end):
    """Return the checksum of buf[start:end]: polynomial 0x31, first value 0xFF."""
    crc = 0xFF
    for i in range(start, end):
        crc ^= buf[i]
        for _ in range(8):
            crc = (crc << 1) ^ 0x131 if crc & 0x80 else crc << 1
    return crc
