"""Several boards in one virtual time, and the network between them."""

from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.timeline import LATENCY_US

JOIN = b"""
import asyncio, errno, machine, network, socket, time
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=0)
wlan = network.WLAN()
wlan.active(True)
wlan.connect("lampione", "")

def text(data):
    return len(data).to_bytes(2, "big") + data

def packet(first, *parts):
    data = b"".join(parts)
    return bytes([first, len(data)]) + data

def connect(name, keepalive_s=0, will=b""):
    while not wlan.isconnected():
        time.sleep_ms(20)
    s = socket.socket()
    s.connect(socket.getaddrinfo("broker.lampione", 1883)[0][-1])
    flags = 0x0E if will else 0x02
    about = b"\\x04" + bytes([flags, 0, keepalive_s]) + text(name)
    if will:
        about += text(b"will") + text(will)
    s.write(packet(0x10, text(b"MQTT"), about))
    assert s.read(4) == b"\\x20\\x02\\x00\\x00"
    return s
"""
TELL = (
    JOIN
    + b"""
s = connect(b"teller")
for n in range(1, 200):
    time.sleep_ms(1000)
    lamp.duty_u16(n)
    s.write(packet(0x30, text(b"lamp"), bytes([n])))
"""
)
HEAR = (
    JOIN
    + b"""
async def busy():
    n = 0
    while True:
        await asyncio.sleep_ms(7)
        n += 1

async def main():
    asyncio.create_task(busy())
    s = connect(machine.unique_id().hex().encode())
    s.setblocking(False)
    stream = asyncio.StreamReader(s)
    s.write(packet(0x82, b"\\0\\1", text(b"lamp"), b"\\0"))
    await stream.readexactly(5)
    while True:
        lamp.duty_u16((await stream.readexactly(9))[8])

asyncio.run(main())
"""
)


def board(bench: VirtualBench, name: str, main: bytes) -> VirtualBoard:
    made = bench.board(name, {"/main.py": main}, world=World(street=None))
    made.power_on()
    return made


def rises(made: VirtualBoard) -> dict[int, int]:
    return {change.value: change.us for change in made.trace() if change.value}


def test_a_message_comes_at_its_time_however_time_is_cut() -> None:
    hashes = set()
    for steps in ((20.0,), (0.3, 0.001, 4.2, 7.999, 7.5)):
        with VirtualBench(clock="virtual") as bench:
            # Both orders: the one that hears may be ahead of the one that tells.
            boards = [board(bench, *about) for about in (("a", TELL), ("b", HEAR), ("c", HEAR))]
            for step in steps:
                bench.run_for(step)
            told, heard, also = map(rises, boards)
            assert len(heard) == 19
            assert heard == also
            for n, at_us in heard.items():
                # Looks at the clock cost 2 us each
                assert 0 <= at_us - told[n] - 2 * LATENCY_US < 100
            said = bench.hub.published()
            assert [s.client for s in said] == ["teller"] * 19
            assert all(0 <= s.us - told[s.payload[0]] - LATENCY_US < 100 for s in said)
            hashes.add(bench.trace_hash())
    assert len(hashes) == 1


def test_an_outage_of_the_air_delays_and_loses_nothing() -> None:
    with VirtualBench(clock="virtual") as bench:
        teller, hearer = board(bench, "a", TELL), board(bench, "b", HEAR)
        bench.run_for(5)
        teller.world.wifi(False)
        bench.run_for(5)
        assert len(bench.hub.published()) == 4
        teller.world.wifi(True)
        bench.run_for(5)
        assert rises(hearer).keys() == rises(teller).keys() == set(range(1, 15))
        late = [n for n, at_us in rises(hearer).items() if at_us - rises(teller)[n] > 100_000]
        assert late == [5, 6, 7, 8, 9]


def test_a_dead_board_says_nothing_and_its_will_comes_in_time() -> None:
    main = JOIN + b's = connect(b"one", 10, b"gone")\nlamp.duty_u16(1)\ntime.sleep(100)\n'
    with VirtualBench(clock="virtual") as bench:
        one = board(bench, "one", main)
        bench.run_for(1)
        one.power_off()
        bench.run_for(30)
        (will,) = bench.hub.published()
        assert will[1:] == ("one", "will", b"gone", False)
        # One and a half keep-alives since the CONNECT came, a way before its answer did
        assert 0 <= rises(one)[1] + 15_000_000 - LATENCY_US - will.us < 100


def test_a_hub_that_is_down_refuses_and_ends_connections() -> None:
    main = (
        JOIN
        + b"""
while True:
    try:
        s = connect(b"one")
        lamp.duty_u16(1)
        print("end", s.read(1), time.ticks_ms())
    except OSError as error:
        print("error", error.errno == errno.ECONNRESET)
    lamp.duty_u16(0)
    time.sleep_ms(500)
"""
    )
    with VirtualBench(clock="virtual") as bench:
        one = board(bench, "one", main)
        bench.run_for(1)
        assert one.pwm_duty(4) == 1
        bench.hub.up(False)
        bench.run_for(2)
        assert one.console().split("\n")[:2] == ["end b'' 1010\r", "error True\r"]
        assert one.pwm_duty(4) == 0
        bench.hub.up(True)
        bench.run_for(1)
        assert one.pwm_duty(4) == 1


def test_a_socket_that_is_closed_leaves_nothing_behind() -> None:
    main = (
        JOIN
        + b"""
import gc

def ready(s, to_write):
    queue = asyncio.core._io_queue
    yield (queue.queue_write if to_write else queue.queue_read)(s)

async def main():
    for n in range(121):
        s = connect(b"one")
        s.setblocking(False)
        await ready(s, True)
        s.write(packet(0xC0))
        await ready(s, False)
        s.close()
        if n % 40 == 20:
            s = None
            gc.collect()
            print("free", gc.mem_free())

asyncio.run(main())
print("done")
"""
    )
    with VirtualBench(clock="virtual") as bench:
        one = board(bench, "one", main)
        bench.run_for(30)
        assert "done" in one.console()
        free = [int(line.split()[1]) for line in one.console().splitlines() if "free" in line]
        assert len(free) == 3
        assert free[0] - free[-1] < 1000, free  # of 80 sockets


def test_what_is_not_mqtt_is_cut_off() -> None:
    main = (
        JOIN
        + b"""
s = connect(b"one")
s.setblocking(False)
s.write(b"\\xf0\\0")
s.settimeout(1)
print("got", s.read(10))
s = connect(b"one")
s.settimeout(0.5)
try:
    s.read(1)
except OSError as error:
    print("timed out", error.errno == errno.ETIMEDOUT, time.ticks_ms())
s.settimeout(None)
print("written", s.write(bytes(20000)))
s.setblocking(False)
print("full", s.write(bytes(20000)), s.write(bytes(20000)))
"""
    )
    with VirtualBench(clock="virtual") as bench:
        one = board(bench, "one", main)
        bench.run_for(3)
        lines = one.console().split("\r\n")
        assert lines[:2] == ["got b''", "timed out True 800"]
        assert lines[2:4] == ["written 4096", "full 1664 None"]
        assert len(bench.hub.refused()) == 2
