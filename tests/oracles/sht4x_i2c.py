"""The maker's package reads our SHT45."""

from lampione_hil.virtual.air import SteadyAir
from lampione_hil.virtual.devices.sht45 import Sht45
from sensirion_driver_adapters.i2c_adapter.i2c_channel import I2cChannel
from sensirion_i2c_driver import CrcCalculator, I2cConnection
from sensirion_i2c_driver.errors import I2cChecksumError, I2cNackError
from sensirion_i2c_sht4x.device import Sht4xDevice

from tests.oracles.bridge import Bus, Clock

clock = Clock()
model = Sht45(SteadyAir(21.5, 46.25), serial=0x1234ABCD)
crc = CrcCalculator(8, 0x31, 0xFF, 0x0)
sensor = Sht4xDevice(I2cChannel(I2cConnection(Bus(model, clock)), slave_address=0x44, crc=crc))

sensor.soft_reset()
assert sensor.serial_number() == 0x1234ABCD
for measure in (
    sensor.measure_high_precision,
    sensor.measure_medium_precision,
    sensor.measure_lowest_precision,
):
    temperature, humidity = (float(signal.value) for signal in measure())
    assert abs(temperature - 21.5) < 0.01, temperature
    assert abs(humidity - 46.25) < 0.01, humidity
warm, dry = (float(signal.value) for signal in sensor.activate_highest_heater_power_long())
assert warm > 60
assert dry < 10
model.move(SteadyAir(-39.5, 100.0))
temperature, humidity = (float(signal.value) for signal in sensor.measure_high_precision())
assert abs(temperature + 39.5) < 0.01
assert abs(humidity - 100) < 0.01

assert model.write(b"\xfd", clock.now_s)
try:
    sensor.serial_number()
    raise AssertionError("it is busy")
except I2cNackError:
    clock.pass_by(0.01)
model.fault("crc")
try:
    sensor.measure_high_precision()
except I2cChecksumError:
    print("good")
