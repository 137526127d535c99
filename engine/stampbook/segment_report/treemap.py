"""Squares of a tree map: Bruls, Huizing and van Wijk (2000), "Squarified Treemaps", Data Visualization 2000, 33-42."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Box(NamedTuple):
    """A rectangle: its left and upper edges, its width and height."""

    x: float
    y: float
    width: float
    height: float


def squarified(sizes: Sequence[float], room: Box) -> list[Box]:
    """Return a box for each size, as large as its share, together filling the room, each as near to a square as may be.

    Args:
        sizes: above zero, the largest first.
        room: what is to be filled.
    """
    total = sum(sizes)
    areas = [size * room.width * room.height / total for size in sizes]
    boxes: list[Box] = []
    while areas:
        side = min(room.width, room.height)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(areas[:count], side):
            count += 1
        row, areas = areas[:count], areas[count:]
        boxes += _row(row, room)
        room = _rest(sum(row), room)
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    return max(side**2 * max(row) / total**2, total**2 / (side**2 * min(row)))


def _row(row: Sequence[float], room: Box) -> list[Box]:
    thick = sum(row) / min(room.width, room.height)
    at, boxes = 0.0, []
    for area in row:
        long = area / thick
        upright = room.width >= room.height
        boxes.append(Box(room.x, room.y + at, thick, long) if upright else Box(room.x + at, room.y, long, thick))
        at += long
    return boxes


def _rest(area: float, room: Box) -> Box:
    if room.width >= room.height:
        thick = area / room.height
        return Box(room.x + thick, room.y, room.width - thick, room.height)
    thick = area / room.width
    return Box(room.x, room.y + thick, room.width, room.height - thick)
