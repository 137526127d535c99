"""How many examples a property tries: as many as were found enough, and more in a random search."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

USUAL = 200
"""What the profile of continuous integration asks for; a profile that asks for more makes every property try more."""


def examples(usual: int, **others: Any) -> settings:
    """Return the settings of a property that takes longer or shorter than most.

    Args:
        usual: how many examples it tries.
        others: further settings.
    """
    return settings(max_examples=usual * max(1, settings().max_examples // USUAL), **others)
