"""The maker's SHDLC packages read our SPS30."""

from lampione_hil.virtual.devices.sps30_uart import Sps30Uart
from lampione_hil.virtual.dust import Dust
from sensirion_driver_adapters.shdlc_adapter.shdlc_channel import ShdlcChannel
from sensirion_shdlc_driver import ShdlcConnection
from sensirion_shdlc_driver.device import ShdlcDevice
from sensirion_shdlc_driver.errors import (
    ShdlcDeviceError,
    ShdlcResponseError,
    ShdlcTimeoutError,
)
from sensirion_uart_sps30.commands import OutputFormat
from sensirion_uart_sps30.device import Sps30Device

from tests.oracles.bridge import Clock, Port, near

clock = Clock()
model = Sps30Uart(Dust(pm1=8.5, pm2_5=12.25, pm10=20.0, noise=0.0))
port = Port(model, clock)
sensor = Sps30Device(ShdlcChannel(port))


def code(call: object, *values: object) -> int:
    """Return the error that a call ends with."""
    try:
        call(*values)  # type: ignore[operator]
    except ShdlcDeviceError as error:
        return int(error.error_code)
    return 0


device = ShdlcDevice(ShdlcConnection(port), 0)
assert device.get_product_type() == "00080000"
assert device.get_serial_number() == model.core.serial
version = device.get_version()
assert (version.firmware.major, version.firmware.minor) == (2, 3)
assert (version.protocol.major, version.protocol.minor) == (2, 0)

assert sensor.read_product_type().strip("\0") == "00080000"
assert sensor.read_serial_number().strip("\0") == model.core.serial
assert sensor.read_version()[:2] == (2, 3)
sensor.write_auto_cleaning_interval(0x7E7D1113)  # all that is stuffed
assert sensor.read_auto_cleaning_interval() == 0x7E7D1113
sensor.write_auto_cleaning_interval(604800)
assert code(sensor.stop_measurement) == 0x43
assert code(sensor.start_fan_cleaning) == 0x43

sensor.start_measurement(OutputFormat.OUTPUT_FORMAT_FLOAT)
assert code(sensor.start_measurement, OutputFormat.OUTPUT_FORMAT_FLOAT) == 0x43
assert code(sensor.sleep) == 0x43
clock.pass_by(31)
values = sensor.read_measurement_values_float()
assert all(near(*pair) for pair in zip(values[:4], (8.5, 12.25, 14.8333, 20.0), strict=True))
assert port.transceive(0, 0x03, b"", 0.02) == (0, 0x03, 0, b""), "nothing new"

model.fault("laser")
sensor.read_device_status_register(False)
clock.pass_by(2.5)
assert sensor.read_device_status_register(False)[0] == 1 << 5
assert port.transceive(0, 0xD1, b"", 0.02)[2] == 0x80, "the error flag is in every answer"
model.fault("")
assert sensor.read_device_status_register(False)[0] == 0

before = model.core.cleanings
sensor.start_fan_cleaning()
assert model.core.cleanings == before + 1
sensor.stop_measurement()
sensor.start_measurement(OutputFormat.OUTPUT_FORMAT_UINT16)
clock.pass_by(31)
assert sensor.read_measurement_values_uint16()[:4] == (8, 12, 15, 20)

sensor.stop_measurement()
sensor.sleep()
clock.pass_by(1)
try:
    sensor.read_version()
    raise AssertionError("it sleeps")
except ShdlcTimeoutError:
    clock.pass_by(1)
assert port.send(b"\xff") == b""
sensor.wake_up()
sensor.device_reset()
assert sensor.read_version()[:2] == (2, 3)

for kind, error in (
    ("crc", ShdlcResponseError),
    ("silent", ShdlcTimeoutError),
    ("half", ShdlcTimeoutError),
):
    model.fault(kind)
    try:
        sensor.read_version()
        raise AssertionError(kind)
    except error:
        model.fault("")

# what is sent in pieces, after rubbish, is answered as the datasheet's example is
rest = b"\x00\x00\x7e\x00\xd2\x01\x00\x2c"
assert port.send(rest[:5]) == b""
assert port.send(rest[5:]) == b""
assert port.send(b"\x7e") == bytes.fromhex("7e00d2000500000000 00287e")
print("good")
