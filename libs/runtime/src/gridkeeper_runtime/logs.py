"""One JSON object per line on standard error."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec

_CHATTY = ("httpx", "httpcore")
"""Libraries that log every request at info; ours are worth a line only when one fails."""


class Logger:
    """Says a sentence; ids, by which lines of several services are put together, come as keywords."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, /, **fields: object) -> None:
        self._say(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        self._say(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        self._say(logging.WARNING, message, fields)

    def error(self, message: str, /, *, cause: BaseException | None = None, **fields: object) -> None:
        """`cause` adds its traceback."""
        self._say(logging.ERROR, message, fields, cause)

    def _say(self, level: int, message: str, fields: dict[str, object], cause: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            # The message is an argument, because a "%" in it would be taken for a place holder.
            self._logger.log(level, "%s", message, extra={"fields": fields}, exc_info=cause)


def set_up(service: str, *, level: str = "info") -> None:
    """Send everything that is logged in this process, by libraries too, to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine(service))
    root = logging.getLogger()
    for earlier in root.handlers[:]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for library in _CHATTY:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))


class JsonLine(logging.Formatter):
    """`{"ts", "level", "service", "message", …}`; our four keys cannot be overwritten by a field."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        ours: dict[str, object] = {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
        }
        fields: dict[str, object] = getattr(record, "fields", {"logger": record.name})
        trace = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        line = {**ours, **{name: value for name, value in fields.items() if name not in ours}, **trace}
        return msgspec.json.encode(line, enc_hook=repr).decode()
