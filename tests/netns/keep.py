#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""keep.py ADDRESS:PORT FIRST COUNT [FIRST_PORT]: hold HTTP connections of COUNT clients open.

Each line read from stdin asks on every connection once more and is answered with one line:
"NAME COUNT ..." of who served, and "broken COUNT". Ends with stdin. The first line comes when all
are open. With FIRST_PORT client n sends from port FIRST_PORT + n.
"""
import collections
import ipaddress
import socket
import sys
import time

target, first, count = sys.argv[1], ipaddress.ip_address(sys.argv[2]), int(sys.argv[3])
first_port = int(sys.argv[4]) if len(sys.argv) > 4 else None
host, port = target.rsplit(":", 1)
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


def send(one):
    try:
        one.sendall(REQUEST)
    except OSError:
        pass  # told when its answer is read


def read(one, until):
    """First word of the body, None when the connection is broken."""
    data = b""
    try:
        while b"\r\n\r\n" not in data or not data.endswith(b"\n"):
            one.settimeout(max(0.01, until - time.monotonic()))
            part = one.recv(4096)
            if not part:
                return None
            data += part
        return data.split(b"\r\n\r\n", 1)[1].split()[0].decode()
    except OSError:
        return None


def tell(connections):
    for one in connections:
        send(one)
    until = time.monotonic() + 2
    names = collections.Counter(read(one, until) for one in connections)
    broken = names.pop(None, 0)
    words = [f"{name} {names[name]}" for name in sorted(names)]
    print(*words, f"broken {broken}", flush=True)


held = []
for index in range(count):
    source = (str(first + index), first_port + index if first_port else 0)
    one = socket.create_connection((host, int(port)), timeout=2, source_address=source)
    held.append(one)
tell(held)
for _ in sys.stdin:
    tell(held)
