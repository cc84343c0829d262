"""Between a maker's package and a model: a bus, a serial port, and a clock that never waits."""

import time

from lampione_hil.virtual.devices import I2CDevice, UartDevice
from sensirion_i2c_driver.transceiver_v1 import I2cTransceiverV1
from sensirion_shdlc_driver.errors import ShdlcTimeoutError
from sensirion_shdlc_driver.port import ShdlcPort
from sensirion_shdlc_driver.serial_frame_builder import (
    ShdlcSerialMisoFrameBuilder,
    ShdlcSerialMosiFrameBuilder,
)


class Clock:
    """The time of a model, in seconds; whoever sleeps here moves it on."""

    def __init__(self) -> None:
        self.now_s = 100.0
        time.sleep = self.pass_by  # type: ignore[assignment]

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


class Bus(I2cTransceiverV1):  # type: ignore[misc]
    """An I2C bus with one model on it."""

    def __init__(self, device: I2CDevice, clock: Clock) -> None:
        super().__init__()
        self._device = device
        self._clock = clock

    def transceive(
        self,
        slave_address: int,
        tx_data: bytes | None,
        rx_length: int | None,
        read_delay: float,
        timeout: float,
    ) -> tuple[int, Exception | None, bytes]:
        """See I2cTransceiverV1. At 100 kHz a byte takes 90 µs."""
        del timeout
        nack = self.STATUS_NACK, OSError("not acknowledged"), b""
        if slave_address != self._device.address:
            return nack
        if tx_data is not None:
            self._clock.pass_by(90e-6 * (1 + len(tx_data)))
            if not self._device.write(tx_data, self._clock.now_s):
                return nack
        self._clock.pass_by(read_delay)
        if not rx_length:
            return self.STATUS_OK, None, b""
        read = self._device.read(rx_length, self._clock.now_s)
        if read is None:
            return nack
        self._clock.pass_by(90e-6 * (1 + rx_length))
        return self.STATUS_OK, None, read


class Port(ShdlcPort):  # type: ignore[misc]
    """A serial port with one model on it. The package itself makes and reads the frames."""

    description = "a model"
    bitrate = 115200
    is_open = True

    def __init__(self, device: UartDevice, clock: Clock) -> None:
        self._device = device
        self._clock = clock

    def send(self, data: bytes) -> bytes:
        """Send bytes; return the answer."""
        self._clock.pass_by(len(data) * 10 / self.bitrate)
        return self._device.feed(data, self._clock.now_s)

    def transceive(
        self, slave_address: int, command_id: int, data: bytes, response_timeout: float
    ) -> tuple[int, int, int, bytes]:
        """See ShdlcPort."""
        sent = ShdlcSerialMosiFrameBuilder(slave_address, command_id, data).to_bytes()
        builder = ShdlcSerialMisoFrameBuilder()
        if not builder.add_data(self.send(sent)):
            self._clock.pass_by(response_timeout)
            raise ShdlcTimeoutError
        found: tuple[int, int, int, bytes] = builder.interpret_data()
        return found


def near(one: float, other: float, share: float = 1e-3) -> bool:
    """Whether two numbers are equal to one in a thousand."""
    return abs(one - other) <= share * max(abs(one), abs(other), 1e-9)
