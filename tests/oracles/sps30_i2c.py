"""The maker's I2C package reads our SPS30."""

from lampione_hil.virtual.devices.sps30 import Sps30
from lampione_hil.virtual.dust import Dust
from sensirion_driver_adapters.i2c_adapter.i2c_channel import I2cChannel
from sensirion_i2c_driver import CrcCalculator, I2cConnection
from sensirion_i2c_driver.errors import I2cChecksumError, I2cNackError
from sensirion_i2c_sps30.commands import OutputFormat
from sensirion_i2c_sps30.device import Sps30Device

from tests.oracles.bridge import Bus, Clock, near

clock = Clock()
model = Sps30(Dust(pm1=8.5, pm2_5=12.25, pm10=20.0, noise=0.0))
bus = Bus(model, clock)
crc = CrcCalculator(8, 0x31, 0xFF, 0x0)
sensor = Sps30Device(I2cChannel(I2cConnection(bus), slave_address=0x69, crc=crc))


def refuses(call: object, *values: object) -> bool:
    """Whether a call ends without an acknowledgement."""
    try:
        call(*values)  # type: ignore[operator]
    except I2cNackError:
        return True
    return False


assert sensor.read_product_type() == "00080000"
assert sensor.read_serial_number() == model.core.serial
assert sensor.read_firmware_version() == (2, 3)
assert sensor.read_auto_cleaning_interval() == 604800
sensor.write_auto_cleaning_interval(345600)
assert sensor.read_auto_cleaning_interval() == 345600
assert sensor.read_data_ready_flag() == 0
assert refuses(sensor.read_measurement_values_float), "idle: there is nothing to read"

sensor.start_measurement(OutputFormat.OUTPUT_FORMAT_FLOAT)
clock.pass_by(0.9)
assert sensor.read_data_ready_flag() == 0
clock.pass_by(0.2)
assert sensor.read_data_ready_flag() == 1
early = sensor.read_measurement_values_float()
assert early[0] < 1.0, "not stable after a second"
assert sensor.read_data_ready_flag() == 0, "read already"
clock.pass_by(30)
values = sensor.read_measurement_values_float()
masses, counts, size_um = values[:4], values[4:9], values[9]
assert all(near(*pair) for pair in zip(masses, (8.5, 12.25, 14.8333, 20.0), strict=True)), values
assert list(counts) == sorted(counts)
assert 0.3 < size_um < 1.0
assert sensor.read_device_status_register() == 0

sensor.start_fan_cleaning()
clock.pass_by(5)
assert sensor.read_data_ready_flag() == 0
assert sensor.read_measurement_values_float() == values, "the last, while it cleans"
clock.pass_by(7)
assert sensor.read_data_ready_flag() == 1

model.fault("fan")
sensor.read_device_status_register()
clock.pass_by(2.5)
assert sensor.read_device_status_register() == 1 << 4
model.fault("")
assert sensor.read_device_status_register() == 1 << 4, "is not cleared by itself"
sensor.clear_device_status_register()
assert sensor.read_device_status_register() == 0

sensor.stop_measurement()
sensor.start_measurement(OutputFormat.OUTPUT_FORMAT_UINT16)
clock.pass_by(31)
whole = sensor.read_measurement_values_uint16()
assert whole[:4] == (8, 12, 15, 20), whole
assert abs(whole[9] - size_um * 1000) <= 1

sensor.sleep()
assert sensor.read_product_type() == "00080000", "it only sleeps when idle"
sensor.stop_measurement()
sensor.sleep()
clock.pass_by(1)
assert refuses(sensor.read_product_type), "asleep"
clock.pass_by(1)
sensor.wake_up_sequence()
assert sensor.read_product_type() == "00080000"

sensor.start_measurement(OutputFormat.OUTPUT_FORMAT_FLOAT)
sensor.device_reset()
assert sensor.read_data_ready_flag() == 0
assert sensor.read_auto_cleaning_interval() == 345600, "stays"
model.fault("crc")
try:
    sensor.read_product_type()
except I2cChecksumError:
    print("good")
