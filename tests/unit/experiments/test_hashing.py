"""Buckets are those of GrowthBook's specification, and a growing coverage moves nobody.

Expected values: `hash` (version 2), `getBucketRange` and buckets of `feature` in
packages/sdk-js/test/cases.json of growthbook/growthbook, specification 0.4.3.
"""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2_contingency

from serving.experiments.hashing import BUCKETS, Line, bucket_ranges, chosen, fnv32a

MANY = 1_000_000


@pytest.mark.parametrize(
    ("seed", "value", "expected"),
    [
        ("seed", "a", 0.0505),
        ("seed", "b", 0.2696),
        ("foo", "ab", 0.2575),
        ("foo", "def", 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 0.124),
        ("90850943850283058242805", "123", 0.7516),
        ("()**(%$##$%#$#", '___)((*":&', 0.0128),
        ("feature", "123", 0.5231),
        ("experiment", "1", 0.4413),
        ("holdout", "1", 0.8043),
    ],
)
def test_the_hash_is_the_published_one(seed: str, value: str, expected: float) -> None:
    assert Line(seed).bucket(value) == expected


@pytest.mark.parametrize(
    ("coverage", "weights", "expected"),
    [
        (1, [0.5, 0.5], [(0, 0.5), (0.5, 1)]),
        (0.5, [0.5, 0.5], [(0, 0.25), (0.5, 0.75)]),
        (0, [0.5, 0.5], [(0, 0), (0.5, 0.5)]),
        (1, [0.25] * 4, [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]),
        (1, [0.4, 0.6], [(0, 0.4), (0.4, 1)]),
        (1, [0.2, 0.3, 0.5], [(0, 0.2), (0.2, 0.5), (0.5, 1)]),
        (0.2, [0.2, 0.3, 0.5], [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
    ],
)
def test_the_ranges_are_the_published_ones(
    coverage: float, weights: list[float], expected: list[tuple[float, float]]
) -> None:
    np.testing.assert_allclose(bucket_ranges(weights, coverage), expected, atol=1e-12)


def test_a_range_has_its_start_and_not_its_end() -> None:
    ranges = [(0.0, 0.25), (0.5, 0.75)]
    assert [chosen(ranges, bucket) for bucket in (0.0, 0.25, 0.5, 0.7499, 0.75)] == [
        0, None, 1, 1, None,
    ]  # fmt: skip


def test_what_is_not_ascii_is_refused_rather_than_hashed_in_one_of_two_ways() -> None:
    with pytest.raises(UnicodeEncodeError):
        Line("seed").bucket("Zoë")


def many_buckets(seed: str, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Line(seed).bucket of each row of `values` (n, length), ASCII, at once."""
    prime = np.uint32(0x01000193)
    state = np.full(len(values), fnv32a(seed), np.uint32)
    for column in values.T:
        state = (state ^ column) * prime
    digits, state = state, np.full(len(values), fnv32a(""), np.uint32)
    for place in range(9, -1, -1):
        power = np.uint32(10**place)
        begun = (digits >= power) | (place == 0)  # leading zeros are not written
        step = (state ^ (np.uint32(ord("0")) + digits // power % np.uint32(10))) * prime
        state = np.where(begun, step, state)
    return state % BUCKETS / BUCKETS


def pseudonyms(n: int) -> npt.NDArray[np.uint8]:
    """Of `n` shoppers: (n, 32) hex digits."""
    drawn = np.random.default_rng(20).integers(0, 16, (n, 32))
    return np.frombuffer(b"0123456789abcdef", np.uint8)[drawn]


def arms_of(
    buckets: npt.NDArray[np.float64], weights: list[float], coverage: float
) -> npt.NDArray[np.int64]:
    """The place of each one's arm, -1 = not in it."""
    arms = np.full(len(buckets), -1)
    for place, (start, end) in enumerate(bucket_ranges(weights, coverage)):
        arms[(buckets >= start) & (buckets < end)] = place
    return arms


def test_many_at_once_are_drawn_as_one_is() -> None:
    some = pseudonyms(500)
    line = Line("ranker")
    one_by_one = [line.bucket(row.tobytes().decode()) for row in some]
    np.testing.assert_array_equal(many_buckets("ranker", some), one_by_one)


def test_a_million_ids_fall_half_and_half_and_one_experiment_tells_nothing_of_another() -> None:
    many = pseudonyms(MANY)
    one, other = (arms_of(many_buckets(seed, many), [0.5, 0.5], 1.0) for seed in ("ranker", "rows"))
    table = np.bincount(2 * one + other, minlength=4).reshape(2, 2)
    assert table.sum() == MANY
    for arms in (table.sum(axis=1), table.sum(axis=0)):
        assert np.abs(arms / MANY - 0.5).max() <= 0.005
    assert chi2_contingency(table).pvalue > 0.001


def test_ten_to_twenty_per_cent_moves_nobody_and_doubles_those_in_it() -> None:
    buckets, weights = many_buckets("ranker", pseudonyms(MANY)), [0.2, 0.3, 0.5]
    before, after = (arms_of(buckets, weights, coverage) for coverage in (0.1, 0.2))
    was_in = before >= 0
    np.testing.assert_array_equal(before[was_in], after[was_in])
    assert was_in.mean() == pytest.approx(0.1, abs=0.002)
    assert (after >= 0).mean() == pytest.approx(0.2, abs=0.002)
