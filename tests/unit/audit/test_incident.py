"""An incident in one file: the same states anywhere, and every changed byte of it refused."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from gridkeeper_cli.audit_decisions import decide_again
from gridkeeper_cli.audit_incident import Written, about, replay_file, write_incident
from gridkeeper_cli.audit_moment import past_at, past_document, read_moment
from gridkeeper_cli.audit_rehearsal import history_of, rehearsal_document, rehearsed
from gridkeeper_cli.grid_source import GridFile
from gridkeeper_cli.record_source import FileSource
from gridkeeper_core.alerts.machine import NotifierMachine
from gridkeeper_core.alerts.policy import Policy
from gridkeeper_core.errors import GridkeeperError
from gridkeeper_core.events import Sent
from gridkeeper_core.inputs import EventSeen
from gridkeeper_core.prices.price import Price
from gridkeeper_core.record import Recorded
from gridkeeper_core.units import E6, E9
from support.lab_record import LabRecord
from support.story import MARKET, START_NS, Story, config

PRICES = (105, 103, 106, 102, 105, 101, 104)
EVER = (0, 2**62)


def prices() -> list[Price]:
    return [
        Price(
            market=MARKET,
            source="story",
            source_seq=seq,
            ts_ns=START_NS + seq * E9,
            oracle_e6=price * E6,
            good_for_ns=3600 * E9,
        )
        for seq, price in enumerate(PRICES, start=1)
    ]


@pytest.fixture(scope="module")
def story() -> Story:
    """A grid on those prices."""
    story = Story().opened_at(PRICES[0])
    return story.prices(*PRICES[1:])


@pytest.fixture
async def written(story: Story, tmp_path: Path) -> tuple[Path, Written]:
    """The whole of it in a file."""
    path, record = tmp_path / "incident.gz", LabRecord(story.lab.log)
    return path, await write_incident(record, await about(record, "tale"), prices(), EVER, path)


async def test_a_file_comes_to_the_same_states_as_the_record_it_was_written_from(
    story: Story, written: tuple[Path, Written]
) -> None:
    path, told = written

    report = replay_file(FileSource(path))

    assert report.ok
    assert (report.events, report.ticks) == (told.events, told.ticks) == (len(story.lab.log), len(PRICES))
    digests = FileSource(path).end().digests
    assert digests["strategy"] == story.lab.strategy.digests()
    assert digests["execution"] == story.lab.execution.digests()
    assert digests["ledger"] == story.lab.ledger.digests()


async def test_the_same_record_gives_the_same_bytes(
    story: Story, written: tuple[Path, Written], tmp_path: Path
) -> None:
    again, record = tmp_path / "again.gz", LabRecord(story.lab.log)
    await write_incident(record, await about(record, "tale"), prices(), EVER, again)
    assert again.read_bytes() == written[0].read_bytes()


async def test_its_decisions_can_be_made_again_without_any_server(written: tuple[Path, Written]) -> None:
    assert (await decide_again(FileSource(written[0]))).ok


@pytest.mark.parametrize("line", [0, 3, -2, -1])
async def test_a_changed_line_is_refused(written: tuple[Path, Written], line: int) -> None:
    path = written[0]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    lines[line] = lines[line].replace(b"1", b"2", 1)
    path.write_bytes(gzip.compress(b"".join(lines)))

    with pytest.raises(GridkeeperError) as refusal:
        replay_file(FileSource(path))

    assert refusal.value.code in ("BAD_FILE", "CHAIN_BROKEN")


@pytest.mark.parametrize("left", [0, 1, -1])
async def test_a_file_that_was_cut_off_is_refused(written: tuple[Path, Written], left: int) -> None:
    path = written[0]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:left])))
    with pytest.raises(GridkeeperError, match="BAD_FILE"):
        FileSource(path).end()


async def test_the_state_at_a_past_moment_is_the_one_the_grid_had_then(story: Story) -> None:
    early = Story().opened_at(PRICES[0]).prices(*PRICES[1:4])
    moment = read_moment(str((START_NS + 4 * E9) // 10**6))

    past = await past_at(LabRecord(story.lab.log), moment)

    assert past.strategy.digests() == early.lab.strategy.digests()
    assert past.execution.digests() == early.lab.execution.digests()
    assert past_document(past)["grids"][0]["fills"] == early.grid.fills > 0


async def test_a_moment_can_be_an_event_or_a_sequence(story: Story) -> None:
    record = LabRecord(story.lab.log)
    place = len(record.stored) // 2
    event = story.lab.log[place - 1].identity

    by_event, by_sequence = (
        await past_at(record, read_moment(event)),
        await past_at(record, read_moment(str(place))),
    )

    assert by_event.events == by_sequence.events == place
    assert by_event.ledger.digests() == by_sequence.ledger.digests()


async def test_an_incident_ends_where_it_was_asked_to(story: Story, tmp_path: Path) -> None:
    path, record = tmp_path / "short.gz", LabRecord(story.lab.log)
    to_ns = START_NS + 4 * E9

    await write_incident(record, await about(record, "tale"), prices()[:4], (0, to_ns), path)

    assert replay_file(FileSource(path)).ok
    assert (await past_at(FileSource(path), read_moment("2100-01-01"))).newest_ns == to_ns


async def test_an_unknown_grid_is_refused_with_the_known_ones(story: Story) -> None:
    with pytest.raises(GridkeeperError) as refusal:
        await about(LabRecord(story.lab.log), "other")
    assert (refusal.value.code, refusal.value.expected) == ("GRID_UNKNOWN", "tale")


async def test_the_settings_that_ran_rehearse_to_the_fills_that_were_recorded(story: Story) -> None:
    history = await history_of(LabRecord(story.lab.log), "tale", "touch")
    same = GridFile(source="", config=story.config)

    done = rehearsed(history, same, lambda _: iter(prices()))

    assert done.before == done.after
    assert len(done.before.fills) == history.fills_recorded > 0


async def test_other_settings_are_told_apart_from_those_that_ran(story: Story) -> None:
    history = await history_of(LabRecord(story.lab.log), "tale", "touch")
    wider = GridFile(source="", config=config(intervals=5))

    document = rehearsal_document(rehearsed(history, wider, lambda _: iter(prices())))

    assert document["before"]["fills"] == history.fills_recorded
    assert document["after"]["fills"] < document["before"]["fills"]
    assert document["intents"]["only_before"] > 0
    assert document["intents"]["only_after"] > 0


def told_to_people(story: Story) -> list[Recorded]:
    """The story's log, and behind each event what the notifier sends of it on two channels."""
    notifier, log, versions = NotifierMachine(Policy(channels=("chat", "mail"))), list[Recorded](), Counter[str]()
    for event in story.lab.log:
        log.append(event)
        for draft in notifier.accept(EventSeen(now_ns=event.ts_ns, event=event)):
            versions[draft.stream] += 1
            log.append(
                Recorded(
                    stream=draft.stream,
                    version=versions[draft.stream],
                    ts_ns=draft.ts_ns,
                    cause=draft.cause,
                    thread=draft.thread,
                    prev="",
                    fact=draft.fact,
                )
            )
    return log


async def test_what_people_were_told_is_in_the_file_once_and_nothing_of_other_accounts(
    story: Story, tmp_path: Path
) -> None:
    path, log = tmp_path / "told.gz", told_to_people(story)
    fact = Sent(severity="critical", channel="chat", key="proof", text="of somebody else", about=("x@1",))
    log.append(Recorded(stream="alert:other", version=1, ts_ns=START_NS, cause="x@1", thread="", prev="", fact=fact))
    record = LabRecord(log)
    written = await write_incident(record, await about(record, "tale"), prices(), EVER, path)

    report = replay_file(FileSource(path))

    assert report.ok
    assert written.events == len(log) - 1
    opened = [alert for alert in report.alerts if "trades from now on" in alert.text]
    assert [(alert.target, alert.severity) for alert in opened] == [("tale", "info")]
    assert not any("somebody else" in alert.text for alert in report.alerts)
    assert [log.service for log in (await decide_again(FileSource(path), is_whole=False)).logs] == [
        "strategy",
        "execution",
        "ledger",
    ]
