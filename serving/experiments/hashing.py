"""Buckets as GrowthBook draws them: hash version 2 and the ranges of the arms.

Specification 0.4.3, docs.growthbook.io/lib/build-your-own; its test cases are in
tests/unit/experiments/test_hashing.py. Ports differ in how they hash what is not ASCII (UTF-8
bytes or UTF-16 units), so only ASCII is hashed here: pseudonyms and keys are.
"""

from collections.abc import Sequence

BUCKETS = 10_000
_OFFSET, _PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF

Range = tuple[float, float]  # from, up to but without


def fnv32a(text: str, state: int = _OFFSET) -> int:
    """FNV-1a of 32 bits over the ASCII bytes of `text`, going on from `state`.

    Raises UnicodeEncodeError for anything but ASCII.
    """
    for byte in text.encode("ascii"):
        state = (state ^ byte) * _PRIME & _MASK
    return state


class Line:
    """The number line of one seed: every value has its place on it, for good."""

    def __init__(self, seed: str) -> None:
        self._state = fnv32a(seed)  # the hash of seed + value goes on from here

    def bucket(self, value: str) -> float:
        """Where `value` stands: 0, .0001, ... .9999."""
        return fnv32a(str(fnv32a(value, self._state))) % BUCKETS / BUCKETS


def bucket_ranges(weights: Sequence[float], coverage: float) -> list[Range]:
    """The ranges of arms with `weights`, whose starts depend on the weights alone.

    So a growing coverage lengthens each range at its end, and nobody changes the arm.
    """
    ranges, start = [], 0.0
    for weight in weights:
        ranges.append((start, start + coverage * weight))
        start += weight
    return ranges


def chosen(ranges: Sequence[Range], bucket: float) -> int | None:
    """The place of the range that holds `bucket`; None between them."""
    for place, (start, end) in enumerate(ranges):
        if start <= bucket < end:
            return place
    return None
