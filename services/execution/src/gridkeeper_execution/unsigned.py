"""Remembers whose transactions their signer does not sign, so that what waits for it does not wait in silence."""

from __future__ import annotations

from gridkeeper_drift.failure import CannotSignError, SignerAwayError, SignerRefusedError
from gridkeeper_runtime.logs import Logger


class Unsigned:
    """By account. Other reasons not to sign (no fresh blockhash, a venue that rests) are told elsewhere."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._reasons: dict[str, str] = {}

    def note(self, alias: str, error: CannotSignError) -> None:
        """A transaction of the account was not signed."""
        if not isinstance(error, SignerAwayError | SignerRefusedError) or self._reasons.get(alias) == error.detail:
            return
        self._reasons[alias] = error.detail
        self._log.warning("Orders wait: their transaction is not signed.", account=alias, cause=error)

    def clear(self, alias: str) -> None:
        """One was signed."""
        self._reasons.pop(alias, None)

    def reasons(self) -> list[str]:
        """What stands in the way, account by account."""
        return [f"Orders of account {alias} wait: {why}" for alias, why in self._reasons.items()]
