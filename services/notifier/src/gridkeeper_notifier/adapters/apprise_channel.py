"""The channel behind which Apprise reaches chats, mail and the rest, by one URL each."""

from __future__ import annotations

import logging

import apprise

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_notifier.ports import DeliveryFailedError, Message

_KINDS = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}


class AppriseChannel:
    """See `Channel`. The message's id stands below its text, so that one that came twice can be told.

    Raises GridkeeperError BAD_VALUE for a URL that Apprise does not know; the URL itself is never shown.
    """

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        # Its own log lines quote URLs, and ours hold tokens.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise GridkeeperError(
                "BAD_VALUE",
                field=f"notify.channels.{name}",
                expected="a URL of a service that Apprise knows, as in https://appriseit.com/services/",
            )

    async def deliver(self, message: Message) -> None:
        """Hand it to the service and wait for its word."""
        arrived = await self._apprise.async_notify(
            title=f"Gridkeeper · {message.target} · {message.severity}",
            body=f"{message.text}\n\n{message.id} · {message.at}",
            notify_type=_KINDS.get(message.severity, apprise.NotifyType.INFO),
        )
        if not arrived:
            raise DeliveryFailedError("the service did not take it")
