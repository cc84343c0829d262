"""Models of the parts on a board's buses, written from the makers' data sheets."""

from lampione_hil.virtual.devices.base import I2CDevice, LineDevice, UartDevice
from lampione_hil.virtual.devices.sht45 import Sht45

__all__ = ["I2CDevice", "LineDevice", "Sht45", "UartDevice"]
