"""Writes the part of docs/settings.md about gridkeeper.toml: every table with its settings, defaults and units."""

from __future__ import annotations

import msgspec

from gridkeeper_cli.gridkeeper_toml import AccountEntry, NotifyEntry, PricesEntry, SandboxEntry

Rows = dict[str, tuple[str, str, str]]
"""Name -> unit, what is allowed, meaning."""

_OPENING = """\
One file for all of a Gridkeeper, in its data directory (`gridkeeper up` writes one for the demo): accounts, where
prices come from, whom to tell. Amounts are decimal text in quotes; an empty text means none. A name that is not on
this page is refused. What is changed here is taken at the next start."""

_ACCOUNT: Rows = {
    "venue": ("", "drift", "The venue; there is one so far."),
    "rpc": ("URL", "http or https", "The Solana endpoint. Empty: the sandbox that `gridkeeper up` starts."),
    "rpc2": ("URL", "http or https", "Asked where `rpc` is away, and before a difference is believed."),
    "authority": ("address", "base58", "The wallet that owns the sub-account."),
    "sub_account": ("number", "at least 0, at most 65535", "Which of the wallet's sub-accounts is traded on."),
    "signer": (
        "", "`file:PATH` or `agent:PATH`",
        "The key that signs: a file of mode 0600, or an agent's socket. A relative path starts at this file.",
    ),
    "owner_key": ("", "true or false", "Whether the signer may be the owner's own key; a delegate is the safer way."),
    "priority_fee": (
        "micro-lamports per compute unit", "a number, or `recent:<cap>`",
        "What is paid on top for a place in a block: always this, or what was recently paid, up to a cap.",
    ),
    "lookup_tables": ("addresses", "base58", "Tables of addresses on the chain that make transactions smaller."),
    "rate_limit": ("requests per second", "at least 0", "The most each endpoint is asked; 0: as suits the profile."),
    "settle_above": ("quote", "at least 0", "PnL beyond this is settled by itself. Empty: only when asked."),
    "max_gross": (
        "quote", "at least 0",
        "What all positions of the account may come to, all open orders filled; those nearest to the price go first.",
    ),
    "max_per_market": ("quote", "at least 0", "The same for each market by itself."),
    "max_collateral_share": ("of the collateral", "at least 0", "How much of it margin may take, `0.5` for one half."),
}  # fmt: skip
_PRICES: Rows = {
    "hermes": ("URL", "http or https", "Pyth's server, for feeds that say `pyth`. Empty: the public one."),
    "rpc": ("URL", "http or https", "Where `drift` reads oracles. Empty: the accounts' endpoint."),
    "pyth_ids": ("", "market = 64 hexadecimal digits", "Pyth's feed of markets whose feed is not known by itself."),
}
_SANDBOX: Rows = {
    "fill_model": (
        "", "through, queue or touch",
        "When a resting order fills: a trade beyond it, a trade at it once the queue ahead is gone, or any at it.",
    ),
    "queue_ahead_e4": ("1e-4 of a trade", "at least 0", "With `queue`: how much of the volume stands before ours."),
    "spread_bps": ("basis points", "at least 0", "How far bid and ask of the sandbox's market are apart."),
    "scenario": ("file", "TOML", "What goes wrong on the sandbox, and when."),
}  # fmt: skip
_NOTIFY: Rows = {
    "webhook": ("URL", "http or https", "Gets every message as JSON."),
    "channels": ("", "name = URL as Apprise knows it", "Chats, mail and whatever else Apprise reaches."),
    "alerts_port": ("port", "0 to 65535", "Where Alertmanager's messages are listened to; 0: nowhere."),
    "alertmanager_silent_s": ("seconds", "at least 0", "Alertmanager being silent for longer is told; 0: never."),
    "routes": ("", "list of tables", "Which severities about which targets go to which channels; else all go to all."),
    "quiet_hours": ("time of day", 'such as "22:00-07:00"', "Only critical messages go out meanwhile."),
    "heartbeat": ("time of day", 'such as "08:00"', "A daily message that all is running."),
    "utc_offset": ("", 'such as "+01:00"', "The time zone of the two above."),
    "burst": ("messages", "at least 1", "So many of one kind about one target at once, then one per `period_s`."),
    "period_s": ("seconds", "at least 1", "See `burst`."),
    "digest_every_s": ("seconds", "at least 1", "What was held back goes out as one message, at most so often."),
}
TABLES: dict[str, tuple[type[msgspec.Struct], Rows]] = {
    "accounts.NAME": (AccountEntry, _ACCOUNT),
    "prices": (PricesEntry, _PRICES),
    "sandbox": (SandboxEntry, _SANDBOX),
    "notify": (NotifyEntry, _NOTIFY),
}
"""Each table, with what reads it and what is said about it."""

_FEEDS = """\
One line per market, `SOL-PERP = "pyth"`: `synthetic` (a market made of a seed), `pyth`, `drift` (the oracle the venue
itself uses) or `replay:FILE[,FILE…]`. Recorded and other sources cannot be mixed."""


def configuration_part() -> str:
    """The part of the page."""
    parts = ["# Settings of gridkeeper.toml", _OPENING, "## `[feeds]`", _FEEDS]
    for name, (entry, rows) in TABLES.items():
        parts += [f"## `[{name}]`", _table(entry, rows)]
    return "\n\n".join(parts)


def _table(entry: type[msgspec.Struct], rows: Rows) -> str:
    defaults = {field.encode_name: _default(field) for field in msgspec.structs.fields(entry)}
    lines = ["| setting | default | unit | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {defaults[name]} | {' | '.join(told)} |" for name, told in rows.items()]
    return "\n".join(lines)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if default in ("", (), {}):
        return "none"
    return f"`{msgspec.json.encode(default).decode()}`"
