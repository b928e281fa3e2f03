"""The gap rule: per producer, each event is taken once and none is left out."""

from __future__ import annotations

from collections.abc import Mapping

from gridkeeper_core.errors import GridkeeperError


class Inbox:
    """Positions per producer, ahead of the store by what is taken and not yet committed."""

    def __init__(self, positions: Mapping[str, int]) -> None:
        self._positions = dict(positions)

    def position(self, app: str) -> int:
        """Id of the last event of the producer that was taken; 0 for none."""
        return self._positions.get(app, 0)

    def positions(self) -> dict[str, int]:
        """Producer -> id of its last event that was taken."""
        return dict(self._positions)

    def admit(self, app: str, event_id: int, previous: int) -> bool:
        """Whether the event is new; then the position moves to it. False for one already taken.

        Raises GridkeeperError EVENT_GAP when an event between the position and this one is missing.
        """
        position = self.position(app)
        if event_id <= position:
            return False
        if previous != position:
            raise GridkeeperError(
                "EVENT_GAP", field=app, value=event_id, expected=f"the event after {position}, not after {previous}"
            )
        self._positions[app] = event_id
        return True
