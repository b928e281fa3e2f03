"""Which cell an order's number means: numbers stay with their cells when levels move, and are never used again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the cells from the lowest up; without any, cell k is number k.

    `heirs` maps the numbers of given-up cells whose orders may still fill to the cell that took over from them.
    """

    numbers: tuple[int, ...] = ()
    places: dict[int, int] = {}
    heirs: dict[int, int] = {}
    unused: int = 0

    def number(self, place: int) -> int:
        """The number of the cell at a place."""
        return self.numbers[place] if self.numbers else place

    def numbers_of(self, places: list[int]) -> list[int]:
        """The numbers of the cells at these places."""
        return [self.numbers[place] for place in places] if self.numbers else places

    def place(self, number: int, count: int) -> int | None:
        """Where the cell with a number is among `count` cells; None when it was given up."""
        if self.numbers:
            return self.places.get(number)
        return number if 0 <= number < count else None

    def heir(self, number: int) -> int | None:
        """The place of the cell that took over from a given-up one."""
        return self.places.get(self.heirs.get(number, number))

    def all(self, count: int) -> tuple[int, ...]:
        """The numbers of `count` cells."""
        return self.numbers or tuple(range(count))

    def next_unused(self, count: int) -> int:
        """The lowest number that no cell ever had."""
        return max(self.unused, 0 if self.numbers else count)

    def renamed(self, numbers: tuple[int, ...], moves: Mapping[int, int], needed: Iterable[int]) -> Names:
        """The names after an edit; of the given-up numbers only the `needed` ones are kept in mind."""
        places = {number: place for place, number in enumerate(numbers)}
        heirs = {}
        for number in needed:
            heir = self.heirs.get(number, number)
            if number not in places:
                heirs[number] = moves.get(heir, heir)
        unused = max((self.next_unused(len(numbers)), *(number + 1 for number in numbers)))
        return Names(numbers=numbers, places=places, heirs=heirs, unused=unused)
