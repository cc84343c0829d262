"""Wi-Fi, sockets and outages."""

import select
import socket
from collections.abc import Iterator

import pytest
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

JOIN = b"""
import asyncio, network, socket, time
wifi = network.WLAN(network.STA_IF)
print("before", wifi.isconnected(), wifi.status() == network.STAT_IDLE, wifi.ifconfig()[0])
wifi.active(True)
wifi.connect("street", "secret")
while not wifi.isconnected():
    time.sleep_ms(10)
print("joined", wifi.ifconfig()[0], wifi.status("rssi"), len(wifi.config("mac")))
port = %d
"""
TALK = b"""
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    n = 0
    while True:
        writer.write(b"%d\\n" % n)
        await writer.drain()
        print("back", await reader.readline(), wifi.isconnected())
        n += 1
asyncio.run(main())
"""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(10)
        yield made


def board(bench: VirtualBench, port: int, program: bytes, *, wifi: bool = True) -> VirtualBoard:
    made = bench.board(
        f"wifi{len(bench.boards)}",
        {"/main.py": JOIN % port + program},
        world=World(street=None, air=SteadyAir(), wifi=wifi, rssi_dbm=-71),
    )
    made.power_on()
    return made


def accepted(server: socket.socket) -> socket.socket:
    peer, _ = server.accept()
    peer.settimeout(10)
    return peer


def echo_line(peer: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = peer.recv(1)
        assert piece
        line += piece
    peer.sendall(line)
    return line


def readable(peer: socket.socket, within_s: float) -> bool:
    return bool(select.select([peer], [], [], within_s)[0])


def test_join_and_talk(bench: VirtualBench, server: socket.socket) -> None:
    one = board(bench, server.getsockname()[1], TALK)
    with accepted(server) as peer:
        assert [echo_line(peer) for _ in range(20)] == [b"%d\n" % n for n in range(20)]
        one.wait_console(r"back b'19\\n' True")
    text = one.console()
    assert "before False True 0.0.0.0" in text
    assert "joined 10.20." in text
    assert " -71 6\r\n" in text


def test_an_outage_stalls_a_connection_and_loses_nothing(
    bench: VirtualBench, server: socket.socket
) -> None:
    one = board(bench, server.getsockname()[1], TALK)
    with accepted(server) as peer:
        for _ in range(5):
            echo_line(peer)
        one.wait_console(r"back b'4\\n' True")
        assert echo_line(peer) == b"5\n"
        one.world.wifi(False)
        while readable(peer, 0.2):
            echo_line(peer)
        said = one.console()
        peer.sendall(b"into the void\n")
        assert not readable(peer, 0.2), "nothing comes through"
        assert one.console() == said
        one.world.wifi(True)
        one.wait_console(r"back b'into the void\\n' True")


def test_the_station_sees_the_outage_and_comes_back(
    bench: VirtualBench, server: socket.socket
) -> None:
    program = b"""
states = []
while True:
    state = wifi.isconnected()
    if not states or states[-1] != state:
        states.append(state)
        print("states", states, wifi.status())
    if not state:
        try:
            s = socket.socket()
            s.connect(("127.0.0.1", port))
        except OSError as error:
            print("no way", error.errno)
        try:
            socket.getaddrinfo("localhost", 80)
        except OSError as error:
            print("no name", error.errno)
    time.sleep_ms(10)
"""
    one = board(bench, server.getsockname()[1], program)
    one.wait_console(r"states \[True\] 1010")
    one.world.wifi(False)
    one.wait_console(r"states \[True, False\] 201")
    one.wait_console("no way 118")
    one.wait_console("no name -202")
    one.world.wifi(True)
    one.wait_console(r"states \[True, False, True\] 1010")


def test_no_access_point_at_boot(bench: VirtualBench) -> None:
    one = board(bench, 1, b"", wifi=False)
    one.wait_console("before")
    one.world.wifi(True)
    one.wait_console("joined")


@pytest.mark.parametrize("blocking", [True, False])
def test_nobody_listens(bench: VirtualBench, blocking: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    program = (
        b"""
s = socket.socket()
try:
    s.connect(("127.0.0.1", port))
except OSError as error:
    print("refused", error.errno)
"""
        if blocking
        else b"""
async def main():
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        await writer.drain()
        if not await reader.read(1):
            raise OSError(104)
    except OSError as error:
        print("refused", error.errno)
asyncio.run(main())
"""
    )
    one = board(bench, port, program)
    one.wait_console("refused (104|32)")


def test_a_power_cut_says_no_goodbye_but_a_soft_reset_does(
    bench: VirtualBench, server: socket.socket
) -> None:
    one = board(bench, server.getsockname()[1], TALK)
    with accepted(server) as peer:
        echo_line(peer)
        one.wait_console("back")
        one.power_off()
        while readable(peer, 0.2):
            assert peer.recv(100), "the broker must not learn of a power cut"
    one.power_on()
    with accepted(server) as peer:
        echo_line(peer)
        one.wait_console("back")
        one.type(b"\x03\x04")
        while peer.recv(100):
            pass


def test_much_data_both_ways(bench: VirtualBench, server: socket.socket) -> None:
    program = b"""
s = socket.socket()
s.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
total = 0
while total < 300000:
    data = s.recv(4096)
    total += len(data)
    s.sendall(data)
print("total", total)
s.close()
"""
    one = board(bench, server.getsockname()[1], program)
    sent = bytes(range(250)) * 1200
    with accepted(server) as peer:
        got = b""
        for at in range(0, len(sent), 10_000):
            peer.sendall(sent[at : at + 10_000])
            while len(got) < min(len(sent), at + 10_000) and (piece := peer.recv(65536)):
                got += piece
    assert got == sent
    one.wait_console("total 300000")
