"""A running service notices when its state is not what its stored events say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from gridkeeper_runtime.logs import Logger
from gridkeeper_shell.self_audit import SelfAudit
from support.servers import eventually
from support.toy_machine import ToyMachine
from support.toy_service import toy_service

pytestmark = pytest.mark.servers


def diverged() -> float | None:
    return REGISTRY.get_sample_value("gridkeeper_replay_divergence")


async def test_a_state_that_is_not_the_fold_of_its_events_is_noticed_while_the_service_works(postgres_url: str) -> None:
    async with toy_service(postgres_url) as service, asyncio.TaskGroup() as group:
        audit = SelfAudit(processor=service.processor, thread=service.thread, fold=ToyMachine(), log=Logger("toy"))
        auditing = group.create_task(audit.run(every_s=0.05))
        checked = _counter()
        await service.feed(1, 50)
        await eventually(lambda: checked() > 1)
        assert diverged() == 0

        service.machine.echoed.append("a fault of memory")

        await eventually(lambda: diverged() == 1)
        service.machine.echoed.pop()
        await service.feed(51, 60)
        await eventually(lambda: diverged() == 0)
        auditing.cancel()


def _counter() -> Callable[[], int]:
    """How many comparisons were made since."""
    seen: set[float | None] = set()

    def count() -> int:
        seen.add(REGISTRY.get_sample_value("gridkeeper_replay_checked_timestamp_seconds"))
        return len(seen) - 1

    return count
