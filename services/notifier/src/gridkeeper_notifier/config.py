"""The settings of the notifier, from variables that begin with `GRIDKEEPER_NOTIFIER_`."""

from __future__ import annotations

from pathlib import Path

from gridkeeper_runtime.settings import Secret
from gridkeeper_shell.settings import ShellSettings

PREFIX = "GRIDKEEPER_NOTIFIER_"
SERVICE = "notifier"
TERMINAL = "terminal"
WEBHOOK = "webhook"


class NotifierSettings(ShellSettings, frozen=True, kw_only=True):
    """`channels` are `terminal` and `webhook`, with commas; the webhook's URL may hold a token and is not shown.

    `data_dir` keeps how far each channel has got, and the terminal's file `notices.log`.
    """

    data_dir: Path
    channels: str = TERMINAL
    webhook_url: Secret = ""

    def __post_init__(self) -> None:
        names = self.channel_names()
        if not names or set(names) - {TERMINAL, WEBHOOK}:
            raise ValueError(f"expected {TERMINAL}, {WEBHOOK} or both as channels, was {self.channels!r}")
        if (WEBHOOK in names) != bool(self.webhook_url):
            raise ValueError("the channel webhook and webhook_url go together")

    def channel_names(self) -> list[str]:
        """The channels, each once."""
        return list(dict.fromkeys(name.strip() for name in self.channels.split(",") if name.strip()))
