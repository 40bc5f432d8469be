"""Sends many calls, has systemd stop the service, and reads all the answers."""

import socket
import subprocess
import sys

import msgpack

CALLS = 3000


def framed(term: object) -> bytes:
    """Return a term as a frame."""
    payload = msgpack.packb(term)
    return len(payload).to_bytes(4, "big") + payload


def frames(stream: bytes) -> list[object]:
    """Return the terms of a whole stream."""
    terms = []
    while stream:
        end = 4 + int.from_bytes(stream[:4], "big")
        terms.append(msgpack.unpackb(stream[4:end]))
        stream = stream[end:]
    return terms


with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    received = client.recv(4096)  # the notice
    client.sendall(b"".join(framed([n, "generate_ed25519_keypair", []]) for n in range(CALLS)))
    subprocess.run(["systemctl", "stop", "--no-block", "signal-port.service"], check=True)
    while more := client.recv(65536):
        received += more
tags = [tag for tag, _ in frames(received)[1:]]
if tags != list(range(CALLS)):
    sys.exit(f"FAILED: of {CALLS} calls {len(tags)} were answered")
