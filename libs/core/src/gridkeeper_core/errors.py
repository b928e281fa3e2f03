"""The one kind of error a user sees, and the catalogue of its codes."""

from __future__ import annotations


class GridkeeperError(Exception):
    """Something a user asked for that cannot be done, said with field, value, expectation and what to do.

    `code` is a key of `CATALOGUE`; `do` defaults to the catalogue's advice.
    """

    def __init__(
        self, code: str, *, field: str = "", value: object = "", expected: str = "", do: str = "", detail: str = ""
    ) -> None:
        meaning, advice = CATALOGUE[code]
        self.code = code
        self.field = field
        self.value = str(value)
        self.expected = expected
        self.do = do or advice
        self.detail = detail
        self.meaning = meaning
        super().__init__(self._sentence())

    def as_dict(self) -> dict[str, str]:
        """The body of the JSON error document."""
        return {
            "code": self.code,
            "field": self.field,
            "value": self.value,
            "expected": self.expected,
            "do": self.do,
            "detail": self.detail or self.meaning,
        }

    def _sentence(self) -> str:
        parts = [f"{self.code}: {self.detail or self.meaning}"]
        if self.field:
            parts.append(f"field {self.field}")
        if self.value:
            parts.append(f"value {self.value!r}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.do:
            parts.append(self.do)
        return "; ".join(parts)


CATALOGUE: dict[str, tuple[str, str]] = {
    # Input: numbers, files, settings.
    "BAD_NUMBER": ("A number could not be read.", 'Write it as decimal text, for example "0.1".'),
    "BAD_DURATION": ("A duration could not be read.", "Write it as 5s, 10m or 4h."),
    "BAD_ID": ("An id is not allowed.", "Use a-z, 0-9 and '-', at most 40 characters, not starting with '-'."),
    "BAD_FILE": ("A file could not be read.", "Check the path, the permissions and the content."),
    "BAD_TOML": ("A file is not valid TOML.", "Mend the line that is named."),
    "UNKNOWN_KEY": ("A setting is not known.", "Remove it, or see docs/settings.md for the name that is meant."),
    "MISSING_KEY": ("A required setting is missing.", "Add it; docs/settings.md shows an example."),
    "BAD_VALUE": ("A setting has a value that is not allowed.", "Choose one of the expected values."),
    "BAD_DATA": ("A data file has a row that cannot be used.", "Mend or remove the row that is named."),
    "BAD_USAGE": ("The command was used wrongly.", "See the command with --help."),
    # Grid rules.
    "LOWER_NOT_BELOW_UPPER": ("The lower price must be below the upper price.", "Swap or change them."),
    "LEVELS_TOO_FEW": ("A grid needs at least 2 levels.", "Raise intervals to 1 or more."),
    "LEVELS_TOO_MANY": ("A grid has at most 1000 levels.", "Lower intervals to 999 or less."),
    "LEVELS_NOT_ASCENDING": ("Levels must rise.", "Sort them and remove duplicates."),
    "SPACING_TOO_SMALL": ("Two levels are less than two ticks apart.", "Use fewer intervals or a wider range."),
    "SIZE_UNDER_MINIMUM": ("An order would be smaller than the market's minimum.", "Raise the size."),
    "SIZE_NOT_POSITIVE": ("A size must be above zero.", "Give a size above zero."),
    "LEVERAGE_TOO_HIGH": ("The leverage is more than the market allows.", "Lower the leverage."),
    "LEVERAGE_NOT_POSITIVE": ("The leverage must be above zero.", "Give a leverage above zero."),
    "PRICE_OUT_OF_RANGE": ("The price is outside of the grid's range.", "Move the range or wait for the price."),
    "NO_PRICE": ("There is no fresh price for the market.", "Check the price feed with `gridkeeper doctor`."),
    "SPACING_UNDER_COST": (
        "One turn of the grid earns less than it costs.",
        "Use fewer intervals or a wider range, or accept it with --accept SPACING_UNDER_COST.",
    ),
    "LIQUIDATION_INSIDE_RANGE": (
        "The position would be liquidated before the price reaches the end of the range.",
        "Lower the size or the leverage, or add capital; or accept it with --accept LIQUIDATION_INSIDE_RANGE.",
    ),
    "WINDOW_TOO_LARGE": ("More live orders are asked for than the venue allows.", "Lower live_orders or reserve."),
    # Grids and accounts.
    "GRID_EXISTS": ("A grid with this id exists already.", "Choose another id."),
    "GRID_UNKNOWN": ("There is no grid with this id.", "See `gridkeeper grid list`."),
    "GRID_STATE": ("The grid is in a state that does not allow this.", "See `gridkeeper grid show ID`."),
    "ACCOUNT_UNKNOWN": ("There is no account with this name.", "See `gridkeeper account list`."),
    "ACCOUNT_HALTED": ("The account is halted.", "Resume it with `gridkeeper account resume NAME --reason …`."),
    "ACCOUNT_NOT_LIVE": ("The account is not reconciled with the venue yet.", "Wait, or see `gridkeeper doctor`."),
    "MARKET_UNKNOWN": ("The venue has no such market.", "Check the market's name."),
    "MARKET_BUSY": (
        "Another grid trades this market on this account.",
        "Use another sub-account: two grids on one position cannot be told apart.",
    ),
    "NO_FREE_SLOTS": ("The account has too few free order slots.", "Lower live_orders or use another sub-account."),
    "MARGIN_SHORT": ("The account has too little collateral for this grid.", "Deposit more or lower size or leverage."),
    "SOL_LOW": ("The wallet has too little SOL for transaction fees.", "Send SOL to the signer's address."),
    "DELEGATE_MISSING": ("The signer may not trade for this account.", "Set it as the sub-account's delegate."),
    "MARKET_CLOSED": ("The market does not take orders.", "Wait until the venue opens it again."),
    # Running.
    "DATA_DIR_LOCKED": ("Another gridkeeper uses this data directory.", "Stop it, or use another --data-dir."),
    "DATA_DIR_VERSION": ("The data directory was written by a newer release.", "Use that release or a newer one."),
    "NOT_RUNNING": ("No running gridkeeper was found.", "Start it with `make run` or `gridkeeper up`."),
    "PORT_IN_USE": ("A port is in use.", "Free it or choose another."),
    "SERVER_FAILED": ("An embedded server did not start.", "See its log file."),
    "SERVICE_SILENT": ("A service did not answer in time.", "See `gridkeeper doctor` and the logs."),
    "STORE_LOST": ("PostgreSQL or NATS could not be reached.", "See that both run; the service tries again."),
    "FENCED": ("Another instance of this service writes to the same log.", "Stop one of the two."),
    "EVENT_GAP": ("An event is missing between two that arrived.", "Run `gridkeeper eventlog rebuild`."),
    "EV_FULL": ("The event stream EV has no room left.", "Raise its max_bytes or its disk; nothing is lost meanwhile."),
    "STORE_BEHIND_EV": (
        "EV holds events that the event store lacks.",
        "PostgreSQL was restored from an older backup: restore a newer one, or make EV anew from it.",
    ),
    "UNKNOWN_TOPIC": ("An event of an unknown kind was met.", "Upgrade to the release that wrote it."),
    "CHAIN_BROKEN": ("The hash chain of a stream is broken.", "Run `gridkeeper audit verify` and restore a backup."),
    "REPLAY_DIFFERS": ("A replayed state differs from the recorded one.", "Keep the data directory and report it."),
    "RPC_FAILED": ("The Solana endpoint did not answer as expected.", "Check the rpc setting and the endpoint."),
    "SIGNER_UNSAFE": ("The key file can be read by others.", "Run chmod 600 on it."),
    "INTERNAL": ("Something went wrong that should not.", "Keep the logs and report it."),
}
"""Code -> (meaning, what to do). `docs/errors.md` is generated from it."""
