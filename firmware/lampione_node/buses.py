"""The buses of a node. I2C is shared by many parts, so there is one object of each."""

_i2c = {}


def i2c(machine, part):
    """Return the bus of a part's settings ("i2c", "scl", "sda"), at 100 kHz."""
    number = part["i2c"]
    if number not in _i2c:
        scl, sda = machine.Pin(part["scl"]), machine.Pin(part["sda"])
        _i2c[number] = machine.I2C(number, scl=scl, sda=sda, freq=100000)
    return _i2c[number]


def uart(machine, part, baud: int, rxbuf: int = 256):
    """Return the serial line of a part's settings ("uart", "tx", "rx")."""
    tx, rx = machine.Pin(part["tx"]), machine.Pin(part["rx"])
    return machine.UART(part["uart"], baudrate=baud, tx=tx, rx=rx, rxbuf=rxbuf)
