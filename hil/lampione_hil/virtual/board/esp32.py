"""`esp32`, as far as a virtual board has it: the chip's own temperature."""

from _wire import ask


def mcu_temperature():
    """Whole degrees Celsius of the chip."""
    return ask(b"k", 1)[0] - 100


def raw_temperature():
    """Fahrenheit, as the plain ESP32 gives it."""
    return mcu_temperature() * 9 // 5 + 32
