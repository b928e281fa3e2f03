"""The channel that needs nothing: a line in the service's log and in `notices.log`, which the live view shows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from gridkeeper_notifier.config import TERMINAL
from gridkeeper_notifier.ports import DeliveryFailedError, Message
from gridkeeper_runtime.logs import Logger
from gridkeeper_runtime.process import open_log

NOTICES = "notices.log"
_log = Logger("notice")


class TerminalChannel:
    """See `Channel`. Each line of the file is a `Message` in JSON."""

    name = TERMINAL

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / NOTICES

    async def deliver(self, message: Message) -> None:
        """Append the line."""
        try:
            await asyncio.to_thread(self._append, msgspec.json.encode(message) + b"\n")
        except OSError as error:
            raise DeliveryFailedError(str(error)) from error
        say = {"critical": _log.error, "warning": _log.warning}.get(message.severity, _log.info)
        say(message.text, id=message.id, target=message.target)

    def _append(self, line: bytes) -> None:
        with open_log(self._file) as file:
            file.write(line)
