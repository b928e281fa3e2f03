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
    "DOWNLOAD_FAILED": (
        "A server did not answer as expected.",
        "Give the same command again later: what was fetched is kept, and it goes on from there.",
    ),
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
    "STOP_BEYOND_LIQUIDATION": (
        "The position would be liquidated before its stop is reached.",
        "Move the stop towards the range or add capital; or accept it with --accept STOP_BEYOND_LIQUIDATION.",
    ),
    "WINDOW_TOO_LARGE": ("More live orders are asked for than the venue allows.", "Lower live_orders or reserve."),
    "STOP_INSIDE_RANGE": (
        "A stop lies inside of the grid's range.",
        "Put stops.low below the lowest level and stops.high above the highest.",
    ),
    "STOP_PASSED": (
        "The price is beyond a stop or a profit target already, so the grid would end at once.",
        "Move the stop or the target, or wait for the price.",
    ),
    "POSITION_EXISTS": (
        "The account has a position in this market already, and closing the grid could not tell the two apart.",
        "Set grid.adopt = true to begin with it, close it, or use another sub-account.",
    ),
    "POSITION_SIDE": (
        "The position to adopt is on the other side than the grid's direction.",
        "Choose the other direction, or close the position first.",
    ),
    # Grids and accounts.
    "GRID_EXISTS": ("A grid with this id exists already.", "Choose another id."),
    "GRID_UNKNOWN": ("There is no grid with this id.", "See `gridkeeper grid list`."),
    "GRID_STATE": ("The grid is in a state that does not allow this.", "See `gridkeeper grid show ID`."),
    "COOLING_DOWN": ("The grid stopped itself and is still cooling down.", "Wait, then resume it."),
    "EDIT_NOT_ALLOWED": ("This setting of a running grid stays as it is.", "Stop the grid and create another one."),
    "EDIT_LOSES_CONTENT": (
        "The new cells cannot hold what the grid holds.",
        "Use larger sizes or more intervals, or reduce the position first.",
    ),
    "CANNOT_FOLLOW": (
        "Levels by hand cannot trail or be built anew around the price.",
        "Use arithmetic or geometric spacing, or hold, reduce or close.",
    ),
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
    "NO_FOREIGN_ORDERS": ("The account has no order that no intent explains.", "Nothing needs to be done."),
    "ACCOUNT_GUARDED": ("A standing check of the account or the market failed.", "See `gridkeeper account show`."),
    "NOTHING_TO_SETTLE": ("The account has no position whose profit could be settled.", "Nothing needs to be done."),
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
    "PROOF_DIFFERS": (
        "The venue shows an amount that no event explains.",
        "Keep the data directory; look at the events around the first interval whose residual is not 0.",
    ),
    "REPLAY_DIFFERS": ("A replayed state differs from the recorded one.", "Keep the data directory and report it."),
    "RPC_FAILED": ("The Solana endpoint did not answer as expected.", "Check the rpc setting and the endpoint."),
    "TRANSACTION_TOO_LARGE": ("A transaction would not fit into a packet.", "Use fewer orders in one transaction."),
    "TRANSACTION_LOST": ("A transaction never landed.", "Nothing was done: try again, or pay a priority fee."),
    "VENUE_REFUSED": ("The venue refused a transaction.", "See its reason; the account is unchanged."),
    "ACCOUNT_EXISTS": ("The sub-account exists already.", "Use another sub_account, or go on with this one."),
    "SUB_ACCOUNT_TAKEN": (
        "Sub-accounts are made one after the other, and this is not the next one.",
        "Set sub_account to the number that is expected.",
    ),
    "BALANCE_SHORT": ("There is less money than this needs.", "Send more to the wallet, or use a smaller amount."),
    "OWNER_KEY_NEEDED": ("Only the owner of the account may do this.", "Give its key with --owner-key FILE."),
    "SIGNER_IS_OWNER": (
        "The signer is the account's owner key, which may also withdraw.",
        "Set a delegate as signer (`gridkeeper account delegate`), or allow it with owner_key = true.",
    ),
    "SIGNER_AWAY": ("The signing agent did not answer.", "Start it with `gridkeeper agent`, and check its socket."),
    "SIGNER_REFUSED": ("The signing agent refused to sign.", "See its limits; it signs only what it was started for."),
    "SIGNER_UNSAFE": ("The key file can be read by others.", "Run chmod 600 on it."),
    "INTERNAL": ("Something went wrong that should not.", "Keep the logs and report it."),
}
"""Code -> (meaning, what to do). `docs/errors.md` is generated from it."""
