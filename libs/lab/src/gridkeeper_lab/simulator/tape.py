"""What happens in one simulated run: a list of plain steps that a seed makes and a person can read, cut and keep."""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

Name = Literal[
    "go",
    "rest",
    "price",
    "wait",
    "fund",
    "command",
    "crash",
    "kill",
    "again",
    "skip",
    "deaf",
    "unacked",
    "takeover",
    "stale",
    "clock",
    "lose",
    "hold",
    "cut",
    "unsigned",
    "fork",
]


class Step(NamedTuple):
    """One step; what its numbers mean is said at `World.step`. A step that cannot be taken is passed over."""

    name: Name
    a: int = 0
    b: int = 0


Tape = tuple[Step, ...]

_QUIET: dict[Name, int] = {"go": 50, "rest": 10, "price": 24, "wait": 4, "command": 2, "fund": 1}
_FAULTS: dict[Name, int] = {
    "crash": 5,
    "kill": 2,
    "again": 3,
    "skip": 1,
    "deaf": 2,
    "unacked": 2,
    "takeover": 1,
    "stale": 2,
    "clock": 2,
    "lose": 4,
    "hold": 4,
    "cut": 1,
    "unsigned": 2,
}
_FORKS: dict[Name, int] = {"fork": 2}
_LOW, _HIGH = 9_880, 11_120
"""Cents between which the price walks: the levels of the grid are from 100 to 110."""


def tape_of(seed: int, steps: int = 300, *, with_forks: bool = True) -> Tape:
    """The run of a seed. Every third seed has forks; one of five is calm, so that plain trading is tried as well."""
    source = random.Random(seed)  # noqa: S311  # repeatable on purpose
    weights = dict(_QUIET)
    if seed % 5:
        weights |= _FAULTS
    if with_forks and seed % 3 == 0:
        weights |= _FORKS
    names = list(weights)
    price = 10_500
    tape = []
    for name in source.choices(names, [weights[name] for name in names], k=steps):
        if name == "price":
            price = min(_HIGH, max(_LOW, price + source.choice((3, 20, 60, 150)) * source.choice((-1, 1))))
            tape.append(Step(name, price, source.choice((5, 30, 100, 400))))
        else:
            tape.append(Step(name, *_numbers(name, source)))
    return tuple(tape)


def _numbers(name: Name, source: random.Random) -> tuple[int, ...]:
    match name:
        case "go":
            return (source.randrange(1_000), source.choice((1, 1, 2, 5, 20)))
        case "wait":
            return (source.choice((200, 1_000, 4_000, 15_000, 45_000)),)
        case "crash":
            return (source.randrange(5), source.randrange(7))
        case "clock":
            return (source.randrange(5), source.choice((-30_000, -2_000, 500, 4_000, 0)))
        case "hold":
            return (source.randrange(8), source.choice((5, 20, 45, 59)))
        case "fork":
            return (source.randrange(1, 7), source.randrange(2))
        case "fund":
            return (source.choice((-40_000, 25_000, 90_000)),)
        case "unsigned" | "cut":
            return (source.randrange(1, 4),)
        case "rest":
            return ()
        case _:
            return (source.randrange(1_000), source.randrange(1_000))


def as_literal(tape: Tape) -> str:
    """The tape as Python that makes it again."""
    lines = [f"    Step({', '.join([repr(step.name), *map(str, _without_zeros(step))])})," for step in tape]
    return "\n".join(["(", *lines, ")"])


def _without_zeros(step: Step) -> tuple[int, ...]:
    if step.b:
        return (step.a, step.b)
    return (step.a,) if step.a else ()
