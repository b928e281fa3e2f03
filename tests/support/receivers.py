"""The other ends of the notifier's channels: a web server and a mail server that keep what they are given."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Receiver(ThreadingHTTPServer):
    """Takes JSON over HTTP. `status` is what it answers."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.status = 200
        self.received: list[tuple[str, dict[str, Any]]] = []

    @property
    def ids(self) -> list[str]:
        """The ids in the header of our own webhook."""
        return [message_id for message_id, _ in self.received]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was posted."""
        return [body for _, body in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.headers.get("Gridkeeper-Message-Id", ""), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """A test's own assertions say what matters."""


@contextmanager
def receiving(port: int) -> Iterator[Receiver]:
    """A web server on this port."""
    server = Receiver(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Mailbox:
    """Keeps the text of each mail."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the library's name
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content)
        parts = [part for part in mail.walk() if not part.is_multipart()]
        self.texts.append("".join(bytes(part.get_payload(decode=True) or b"").decode() for part in parts))
        return "250 Message accepted"


@contextmanager
def receiving_mail(port: int) -> Iterator[Mailbox]:
    """A mail server on this port."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
