"""Remembers in small files which message each channel delivered last."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.files import make_private_directory, write_private


class Delivered(msgspec.Struct, frozen=True):
    """The content of a file."""

    last_id: str


class FileMemory:
    """See `Memory`. One file per channel, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_private_directory(folder)

    def last(self, channel: str) -> str:
        """Empty where there is no file. Raises GridkeeperError BAD_FILE."""
        path = self._path(channel)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Delivered).last_id
        except FileNotFoundError:
            return ""
        except msgspec.DecodeError as error:
            raise GridkeeperError(
                "BAD_FILE", field=str(path), do="Remove it: messages are then sent once more.", detail=str(error)
            ) from error

    async def delivered(self, channel: str, message_id: str) -> None:
        """On the disk when it returns."""
        await asyncio.to_thread(write_private, self._path(channel), msgspec.json.encode(Delivered(message_id)))

    def _path(self, channel: str) -> Path:
        return self._folder / f"{channel}.json"
