"""The channel that posts each message as JSON to a URL."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

import httpx
import msgspec

from gridkeeper_notifier.config import WEBHOOK
from gridkeeper_notifier.ports import DeliveryFailedError, Message

ID_HEADER = "Gridkeeper-Message-Id"
TIMEOUT_S = 10.0


class WebhookChannel:
    """See `Channel`. The id is in the body and in a header, so that a receiver can drop what it has.

    Any answer of 200 to 299 means that it arrived. To be used as an async context manager.
    """

    name = WEBHOOK

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        # It logs every URL, and ours may hold a token.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(timeout=timeout_s)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def deliver(self, message: Message) -> None:
        """Post it."""
        headers = {"Content-Type": "application/json", ID_HEADER: message.id}
        try:
            answer = await self._client.post(self._url, content=msgspec.json.encode(message), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not the error's own words: they may quote the URL, which may hold a token.
            raise DeliveryFailedError(type(error).__name__) from None
        if not answer.is_success:
            raise DeliveryFailedError(f"HTTP status {answer.status_code}")
