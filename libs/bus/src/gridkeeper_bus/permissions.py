"""What each service may do on NATS, and the users of a server that keeps them to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import msgspec
import nkeys

from gridkeeper_bus.prices import CLOCK_SUBJECT
from gridkeeper_core import names

DECIDING = ("strategy", "execution", "ledger", "notifier")
PRODUCERS = (*DECIDING, "price_feed")
SERVICES = (*PRODUCERS, "sandbox")
AUDITOR = "auditor"
_LISTENS_TO_PRICES = ("strategy", "execution", "ledger")
_COMMANDS = {"strategy": ("grid",), "execution": ("account",), "notifier": ("alert",)}
_TAPE_RUN = "tape.run"
_MARKET_REQUESTS = "market.*"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The subjects one service may publish to and subscribe to; nothing else."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox_of(service: str) -> str:
    """The prefix of a service's own inboxes, which no other service may listen to."""
    return f"_INBOX_{service}"


def access_of(service: str, shard: int = 0) -> Access:
    """What a service needs. It writes its own events, reads all of them, and cannot change or delete a stream.

    Reading goes through consumers it makes for itself; making one needs no more than the name of the stream.
    """
    publish: list[str] = []
    subscribe = [f"{inbox_of(service)}.>", "$SRV.>", f"{names.query_subject(shard, service, '*')}"]
    if service in PRODUCERS:
        publish += [names.writer_subjects(shard, service), *_reading(names.EV_STREAM)]
    if service in DECIDING:
        subscribe += [names.command_subject(shard, kind, "*", "*") for kind in _COMMANDS.get(service, ())]
        subscribe.append(CLOCK_SUBJECT)
    if service in _LISTENS_TO_PRICES or service == "sandbox":
        publish += _looking(names.PX_STREAM)
        subscribe.append(names.PX_SUBJECTS)
    if service == "price_feed":
        publish += [names.PX_SUBJECTS, CLOCK_SUBJECT, _MARKET_REQUESTS, *_looking(names.PX_STREAM)]
        publish += [names.query_subject(shard, other, "quiet") for other in (*DECIDING, "sandbox")]
        publish.append(names.query_subject(shard, "execution", "poll"))
        subscribe.append(_TAPE_RUN)
    if service == "sandbox":
        subscribe += [_MARKET_REQUESTS, CLOCK_SUBJECT]
    return Access(publish=tuple(publish), subscribe=tuple(subscribe))


def auditor_access(shard: int = 0) -> Access:
    """What an audit needs: every event, and what each service says of its own state. It can tell nobody to do a thing.

    It hears the answers to an administrator's requests as well; they hold nothing that is not in the events.
    """
    queries = [names.query_subject(shard, service, "heads") for service in DECIDING]
    snapshot = names.query_subject(shard, "execution", "snapshot")
    return Access(publish=(*_reading(names.EV_STREAM), *queries, snapshot), subscribe=("_INBOX.>",))


def authorization(
    admin: str, password: str, users: Mapping[str, str], shard: int = 0, *, auditor_password: str = ""
) -> str:
    """The inside of the server's `authorization` block: a user with all rights, one per service, and an auditor.

    `users`: service -> public nkey. Only the service's key can sign in as it; the file holds no secret of theirs.
    Without a password there is no auditor.
    """
    entries = [_entry(f"user: {json.dumps(admin)}, password: {json.dumps(password)}", None)]
    entries += [_entry(f"nkey: {key}", access_of(service, shard)) for service, key in users.items()]
    if auditor_password:
        signing_in = f"user: {json.dumps(AUDITOR)}, password: {json.dumps(auditor_password)}"
        entries.append(_entry(signing_in, auditor_access(shard)))
    return "  users = [\n" + "\n".join(entries) + "\n  ]"


def new_seed() -> str:
    """A secret from which a service's key follows."""
    return bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()


def public_key(seed: str) -> str:
    """The public key of a seed. Raises ValueError when it is none, without showing it."""
    try:
        return bytes(nkeys.from_seed(bytearray(seed.strip().encode())).public_key).decode()
    except Exception:  # the library raises a dozen kinds, some of which quote the seed
        raise ValueError("expected the seed of an nkey, which begins with SU") from None


def _reading(stream: str) -> list[str]:
    return [
        *_looking(stream),
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.>",
        f"$JS.API.CONSUMER.INFO.{stream}.*",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
    ]


def _looking(stream: str) -> list[str]:
    return [f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.STREAM.MSG.GET.{stream}"]


def _entry(signing_in: str, access: Access | None) -> str:
    if access is None:
        return f"    {{ {signing_in} }}"
    return f"""    {{
      {signing_in}
      permissions: {{
        publish: {{ allow: {json.dumps(access.publish)} }}
        subscribe: {{ allow: {json.dumps(access.subscribe)} }}
        # A request may be answered, wherever its sender listens.
        allow_responses: true
      }}
    }}"""
