"""TLS over the simulated Wi-Fi, with what a stream hides in its buffer."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lampione_hil.virtual import SteadyAir, VirtualBench, World

MAIN = b"""
import asyncio, machine, network, ssl, time
machine.RTC().datetime((%d, %d, %d, 0, 12, 0, 0, 0))
wifi = network.WLAN(network.STA_IF)
wifi.active(True)
wifi.connect("street", "secret")
while not wifi.isconnected():
    time.sleep_ms(10)
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile="/ca.der")
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", %d, ssl=context, server_hostname="localhost")
    for n in range(5):
        writer.write(b"line %%d\\n" %% n)
        await writer.drain()
        # two lines come in one record: the second waits where no descriptor shows it
        print(await reader.readexactly(3), await reader.readline(), await reader.readline())
    print("done")
try:
    asyncio.run(main())
except Exception as error:
    print("failed", repr(error))
"""


def certificate(folder: Path) -> bytes:
    """Write a self-signed certificate and its key; return it as DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made.public_bytes(serialization.Encoding.DER)


def serve(server: socket.socket, folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    peer, _ = server.accept()
    try:
        with context.wrap_socket(peer, server_side=True) as stream:
            stream.settimeout(10)
            while data := stream.recv(1000):
                stream.sendall(data + data)
    except OSError:
        return  # the board refused us


def run(bench: VirtualBench, folder: Path, trusted: bytes, name: str, says: str) -> None:
    today = datetime.datetime.now(datetime.UTC)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=serve, args=(server, folder), daemon=True)
        thread.start()
        main = MAIN % (today.year, today.month, today.day, server.getsockname()[1])
        board = bench.board(
            name,
            {"/main.py": main, "/ca.der": trusted},
            world=World(street=None, air=SteadyAir()),
        )
        board.power_on()
        board.wait_console(says)
        board.power_off()


def test_lines_over_tls(bench: VirtualBench, tmp_path: Path) -> None:
    ours = certificate(tmp_path)
    run(bench, tmp_path, ours, "tls", r"b'lin' b'e 4\\n' b'line 4\\n'\s+done")


def test_a_strangers_certificate_is_refused(bench: VirtualBench, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate(tmp_path)
    other = certificate(tmp_path / "other")
    run(bench, tmp_path, other, "stranger", "failed (ValueError|OSError)")
