"""Answers queries about the books of grids and accounts."""

from __future__ import annotations

import msgspec

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.ledger.machine import LedgerMachine
from gridkeeper_core.ledger.views import account_view, grid_view
from gridkeeper_core.requests import GridQuery

_QUERY = msgspec.json.Decoder(GridQuery)


class BooksRequests:
    """Reads the machine's state between two inputs, so an answer is of one instant."""

    def __init__(self, machine: LedgerMachine) -> None:
        self._machine = machine

    async def books(self, _subject: str, body: bytes) -> bytes:
        """A list of `ledger.views.GridBooksView`: of one grid, or of all (stopped ones too) when the id is empty.

        Raises GridkeeperError GRID_UNKNOWN, BAD_USAGE.
        """
        state = self._machine.state
        wanted = _query(body).id
        ids = [wanted] if wanted else sorted(state.grids.keys() | state.stopped.keys())
        return msgspec.json.encode([grid_view(state, grid_id) for grid_id in ids])

    async def account(self, _subject: str, body: bytes) -> bytes:
        """The `ledger.views.AccountBooksView` of an account; the id is its alias.

        Raises GridkeeperError ACCOUNT_UNKNOWN, BAD_USAGE.
        """
        return msgspec.json.encode(account_view(self._machine.state, _query(body).id))


def _query(body: bytes) -> GridQuery:
    try:
        return _QUERY.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise GridkeeperError("BAD_USAGE", field="query", detail=str(error)) from error
