"""When a process is started again and when it stays down."""

from __future__ import annotations

from gridkeeper_runtime.restart import Exit, ServerPolicy, ServicePolicy


def _ended(*, at_s: float = 0.0, up_s: float = 0.1, code: int = 1, was_ready: bool = True) -> Exit:
    return Exit(at_s=at_s, up_s=up_s, code=code, was_ready=was_ready)


def test_a_service_waits_longer_each_time_and_stays_down_at_the_fifth_exit_in_a_minute() -> None:
    policy = ServicePolicy()

    assert [policy.pause_s(_ended(at_s=at_s)) for at_s in range(5)] == [0.2, 0.4, 0.8, 1.6, None]


def test_a_service_that_ends_now_and_then_is_always_started_again() -> None:
    policy = ServicePolicy()

    pauses = [policy.pause_s(_ended(at_s=20.0 * turn)) for turn in range(50)]

    assert None not in pauses


def test_a_killed_server_comes_back_at_once_however_often() -> None:
    policy = ServerPolicy()

    assert {policy.pause_s(_ended(code=-9)) for _ in range(50)} == {0.0}


def test_a_server_killed_again_before_it_was_ready_comes_back_too() -> None:
    policy = ServerPolicy()
    policy.pause_s(_ended(code=-9))

    assert None not in [policy.pause_s(_ended(code=-9, was_ready=False)) for _ in range(50)]


def test_a_server_that_cannot_start_stays_down_at_the_fifth_attempt() -> None:
    policy = ServerPolicy()

    pauses = [policy.pause_s(_ended(was_ready=False)) for _ in range(5)]

    assert pauses[-1] is None
    assert None not in pauses[:-1]


def test_a_server_that_crashes_before_it_was_ever_ready_stays_down() -> None:
    policy = ServerPolicy()

    assert [policy.pause_s(_ended(code=-11, was_ready=False)) for _ in range(5)][-1] is None


def test_a_server_that_ran_a_while_starts_its_count_anew() -> None:
    policy = ServerPolicy()
    for _ in range(4):
        policy.pause_s(_ended(was_ready=False))

    assert policy.pause_s(_ended(up_s=3.0)) == 0.0
    assert policy.pause_s(_ended(was_ready=False)) is not None
