"""The settings of the notifier, from variables that begin with `GRIDKEEPER_NOTIFIER_`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.alerts.policy_words import PolicyWords
from gridkeeper_runtime.settings import Secret
from gridkeeper_shell.settings import ShellSettings

PREFIX = "GRIDKEEPER_NOTIFIER_"
SERVICE = "notifier"
TERMINAL = "terminal"
WEBHOOK = "webhook"


class NotifierSettings(ShellSettings, frozen=True, kw_only=True):
    """`channels` are names, with commas: `terminal`, `webhook`, and each name that has a URL in `urls`.

    `urls` is a JSON object, name -> URL as Apprise understands it (`tgram://…`, `mailtos://…`); URLs hold tokens and
    are never shown. `policy` is a JSON object (`PolicyWords`): routes, quiet hours, heartbeat, limits. `data_dir` keeps
    how far each channel has got, and the terminal's file `notices.log`. Alertmanager is listened to at `alerts_port`
    (0 = not at all); `alertmanager_silent_s`: it is reported when its Watchdog was not heard for so long (0 = never).
    """

    data_dir: Path
    channels: str = TERMINAL
    webhook_url: Secret = ""
    urls: Secret = "{}"
    policy: str = "{}"
    alerts_host: str = "127.0.0.1"
    alerts_port: int = 0
    alertmanager_silent_s: int = 0

    def __post_init__(self) -> None:
        names = self.channel_names()
        known = {TERMINAL, WEBHOOK, *self.channel_urls()}
        if not names or set(names) - known:
            raise ValueError(f"expected channels among {', '.join(sorted(known))}, was {self.channels!r}")
        if (WEBHOOK in names) != bool(self.webhook_url):
            raise ValueError("the channel webhook and webhook_url go together")
        self.alert_policy()

    def channel_names(self) -> list[str]:
        """The channels, each once."""
        return list(dict.fromkeys(name.strip() for name in self.channels.split(",") if name.strip()))

    def channel_urls(self) -> dict[str, str]:
        """Name -> URL. Raises ValueError, without showing what could not be read."""
        try:
            return msgspec.json.decode(self.urls, type=dict[str, str])
        except msgspec.DecodeError:
            raise ValueError("expected urls as a JSON object of names and URLs") from None

    def alert_policy(self) -> Policy:
        """The machine's rules. Raises ValueError."""
        try:
            words = msgspec.json.decode(self.policy, type=PolicyWords)
        except msgspec.DecodeError as error:
            raise ValueError(f"policy: {error}") from error
        return words.policy(tuple(self.channel_names()))
