"""The host's clock jumps an hour ahead and back: same decisions, in the same order, and no timer twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gridkeeper_core.events import GridPaused, GridResumed
from gridkeeper_core.units import NS_PER_S
from support.servers import eventually
from support.toy_machine import PAUSE_NS, account_log, pause
from support.toy_service import seen, step_to, toy_service

pytestmark = pytest.mark.servers

HOUR_NS = 3600 * NS_PER_S
START_NS = 10 * HOUR_NS
STEP_NS = PAUSE_NS // 10
JUMPS = {"steady": 0, "ahead": HOUR_NS, "back": -HOUR_NS}


def clock_with(jump_ns: int, from_step: int = 20, until_step: int = 40) -> Callable[[int], int]:
    """A tenth of a second a step, wrong by `jump_ns` for a while."""
    return lambda step: START_NS + step * STEP_NS + (jump_ns if from_step <= step < until_step else 0)


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_jump_of_the_clock_changes_no_decision_and_fires_no_timer_twice(postgres_url: str, jump: str) -> None:
    now_ns = clock_with(JUMPS[jump])
    async with toy_service(postgres_url, is_tape=False) as service:
        for step, (event, _) in enumerate(account_log(60), start=1):
            service.now_ns = now_ns(step)
            # Moments at which the service would look by itself, too.
            service.processor.clock_moved()
            if step in (15, 30):
                await service.processor.submit(pause(f"k{step}", f"grid:at-{step}", now_ns=service.now_ns))
            moved = seen(event)
            await service.processor.submit(type(moved)(now_ns=service.now_ns, event=event), step_to(event))
        service.now_ns = START_NS + 2 * HOUR_NS
        service.processor.clock_moved()
        await eventually(lambda: not service.machine.paused)

        echoed = [e.fact.reason for e in service.committed if isinstance(e.fact, GridPaused) and not e.fact.author]
        assert echoed == [f"account:main@{n}" for n in range(1, 61)]
        timers = [e.stream for e in service.committed if isinstance(e.fact, GridResumed)]
        assert sorted(timers) == ["grid:at-15", "grid:at-30"]
        times = [e.ts_ns for e in service.committed]
        assert times == sorted(times)
        digests = service.machine.digests()

    async with toy_service(postgres_url, is_tape=False) as again:
        assert again.machine.digests() == digests
