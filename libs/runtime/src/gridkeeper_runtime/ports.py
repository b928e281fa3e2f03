"""Loopback ports a server can come back to after a restart."""

from __future__ import annotations

import secrets
import socket

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 20_000, 31_999
"""Below the range the kernel hands out to clients: a client that keeps trying to reach a server that is down could be
given the server's own port, connect to itself and keep the port from the server."""


def choose_port() -> int:
    """A port nobody listens on now."""
    while True:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
