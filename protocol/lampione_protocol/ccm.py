"""AES in counter mode with CBC-MAC (CCM, RFC 3610), over a block cipher that the platform has.

The stock ESP32 build has AES-ECB and no counter mode. Nonces are 13 bytes (L = 2); the tag is
8 bytes unless said otherwise.
"""

from lampione_protocol.errors import SealError

NONCE_BYTES = 13
TAG_BYTES = 8
_L = 2


class Ccm:
    """One key. Not reentrant, nor is another: all share their working blocks, made once.

    Args:
        cipher: an object with `encrypt(block, out)`, AES-ECB of one block of 16 bytes, as
            MicroPython's `cryptolib.aes(key, 1)`.
        tag_bytes: 4, 6, ... 16.
    """

    _mac = bytearray(16)
    _counter = bytearray(16)
    _stream = bytearray(16)
    _first = bytearray(16)  # key stream block 0, which covers the tag

    def __init__(self, cipher, tag_bytes: int = TAG_BYTES):  # type: ignore[no-untyped-def]
        self._cipher = cipher
        self._tag_bytes = tag_bytes

    def _absorb(self, data: "bytes | bytearray", start: int, end: int, at: int) -> int:
        """XOR data into the MAC from byte `at` of its block on; return where it stops."""
        mac = self._mac
        for i in range(start, end):
            mac[at] ^= data[i]
            at += 1
            if at == 16:
                self._cipher.encrypt(mac, mac)
                at = 0
        return at

    def _authenticate(
        self,
        nonce: "bytes | bytearray",
        ad: "bytes | bytearray",
        buf: bytearray,
        start: int,
        end: int,
    ) -> None:
        mac = self._mac
        size = end - start
        mac[0] = (0x40 if ad else 0) | (self._tag_bytes - 2) << 2 | (_L - 1)
        for i in range(NONCE_BYTES):
            mac[1 + i] = nonce[i]
        mac[14] = size >> 8
        mac[15] = size & 255
        self._cipher.encrypt(mac, mac)
        if ad:
            mac[0] ^= len(ad) >> 8
            mac[1] ^= len(ad) & 255
            if self._absorb(ad, 0, len(ad), 2):
                self._cipher.encrypt(mac, mac)
        if self._absorb(buf, start, end, 0):
            self._cipher.encrypt(mac, mac)

    def _crypt(self, nonce: "bytes | bytearray", buf: bytearray, start: int, end: int) -> None:
        """XOR the key stream over the text; keep its first block for the tag."""
        counter = self._counter
        stream = self._stream
        counter[0] = _L - 1
        for i in range(NONCE_BYTES):
            counter[1 + i] = nonce[i]
        counter[14] = counter[15] = 0
        self._cipher.encrypt(counter, self._first)
        block = 0
        at = 16
        for i in range(start, end):
            if at == 16:
                block += 1
                counter[14] = block >> 8
                counter[15] = block & 255
                self._cipher.encrypt(counter, stream)
                at = 0
            buf[i] ^= stream[at]
            at += 1

    def seal(
        self,
        nonce: "bytes | bytearray",
        ad: "bytes | bytearray",
        buf: bytearray,
        start: int,
        end: int,
    ) -> int:
        """Encrypt `buf[start:end]` in place, write the tag behind it, return where that ends."""
        self._authenticate(nonce, ad, buf, start, end)
        self._crypt(nonce, buf, start, end)
        for i in range(self._tag_bytes):
            buf[end + i] = self._mac[i] ^ self._first[i]
        return end + self._tag_bytes

    def open(
        self,
        nonce: "bytes | bytearray",
        ad: "bytes | bytearray",
        buf: bytearray,
        start: int,
        end: int,
    ) -> int:
        """Decrypt `buf[start:end]`, tag last, in place; return where the text ends.

        Raises SealError, and wipes the text, when the tag does not fit.
        """
        text_end = end - self._tag_bytes
        if text_end < start:
            raise SealError()
        self._crypt(nonce, buf, start, text_end)
        self._authenticate(nonce, ad, buf, start, text_end)
        differ = 0
        for i in range(self._tag_bytes):
            differ |= buf[text_end + i] ^ self._mac[i] ^ self._first[i]
        if differ:
            for i in range(start, text_end):
                buf[i] = 0
            raise SealError()
        return text_end
