"""Estimators on logs that hold every slate as often as the policy shows it: no chance is left."""

from itertools import permutations

import numpy as np
import pytest

from features.arrays import DoubleArray
from serving.experiments.ope.estimators import (
    Form,
    Sums,
    dr,
    ips,
    on_policy,
    sndr,
    snips,
    sums_by_shopper,
    weights,
)
from serving.experiments.ope.slates import LoggedSlates, OpeRefusedError, Propensities

ODDS = np.array([1.0, 2.0, 3.0])  # of three items, two of which are shown; 360 slates
TARGET = np.array([5.0, 1.0, 2.0])
WORTH = np.array([0.2, 1.0, 0.5])
PLACES = 2


def chance(odds: DoubleArray, slate: tuple[int, ...]) -> list[float]:
    """Of each place, given the ones before."""
    left, out = odds.sum(), []
    for item in slate:
        out.append(float(odds[item] / left))
        left -= odds[item]
    return out


def slates_of(odds: DoubleArray) -> dict[tuple[int, ...], float]:
    return {slate: float(np.prod(chance(odds, slate))) for slate in permutations(range(3), PLACES)}


def marginal(odds: DoubleArray) -> DoubleArray:
    out = np.zeros((3, PLACES))
    for slate, probability in slates_of(odds).items():
        out[slate, range(PLACES)] += probability
    return out


def reward(slate: tuple[int, ...], cascade: bool) -> list[float]:
    """An item's worth, less at the second place; in a cascade, none behind item 1."""
    second = 0.0 if cascade and slate[0] == 1 else 0.6 * WORTH[slate[1]]
    return [float(WORTH[slate[0]]), float(second)]


def truth(odds: DoubleArray, cascade: bool) -> float:
    return sum(p * sum(reward(slate, cascade)) for slate, p in slates_of(odds).items())


def log(kind: Propensities, cascade: bool, model: DoubleArray | None = None) -> LoggedSlates:
    """Each slate as often as in 360 draws; `model`: its opinion of an item at a place (3, 2)."""
    rows = [slate for slate, p in slates_of(ODDS).items() for _ in range(round(360 * p))]
    assert len(rows) == 360
    items = np.array(rows)
    place = np.arange(PLACES)
    if kind is Propensities.MARGINAL:
        logged, target = marginal(ODDS)[items, place], marginal(TARGET)[items, place]
    else:
        logged = np.array([chance(ODDS, row) for row in rows])
        target = np.array([chance(TARGET, row) for row in rows])
    told = {}
    if model is not None:
        told["predicted"] = model[items, place]
        if kind is Propensities.MARGINAL:
            told["expected"] = np.broadcast_to((marginal(TARGET) * model).sum(axis=0), (360, 2))
        else:
            told["expected"] = np.array([expected(row, model) for row in rows])
    return LoggedSlates(
        np.arange(360) % 7, np.ones((360, PLACES), bool),
        np.array([reward(row, cascade) for row in rows]), logged, target, kind, **told,
    )  # fmt: skip


def expected(slate: tuple[int, ...], model: DoubleArray) -> list[float]:
    second = TARGET.copy()
    second[slate[0]] = 0.0
    return [
        float(TARGET @ model[:, 0] / TARGET.sum()), float(second @ model[:, 1] / second.sum())
    ]  # fmt: skip


def total(slates: LoggedSlates, form: Form) -> Sums:
    sums = sums_by_shopper(slates, weights(slates, form), clip=1e9)
    return sums.drawn(np.ones((1, len(sums.rankings))))


FORMS = [
    (Form.ITEM_POSITION, Propensities.MARGINAL, False),
    (Form.CASCADE, Propensities.CONDITIONAL, True),
    (Form.STANDARD, Propensities.CONDITIONAL, True),
]


@pytest.mark.parametrize(("form", "kind", "cascade"), FORMS)
def test_ips_and_snips_are_the_targets_reward(
    form: Form, kind: Propensities, cascade: bool
) -> None:
    sums = total(log(kind, cascade), form)
    assert ips(sums)[0] == pytest.approx(truth(TARGET, cascade))
    assert snips(sums)[0] == pytest.approx(truth(TARGET, cascade))
    assert on_policy(sums)[0] == pytest.approx(truth(ODDS, cascade))
    assert truth(ODDS, cascade) != pytest.approx(truth(TARGET, cascade), rel=0.05)


@pytest.mark.parametrize(("form", "kind", "cascade"), FORMS[:2])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_doubly_robust_estimate_is_right_however_wrong_its_model(
    form: Form, kind: Propensities, cascade: bool, seed: int
) -> None:
    model = np.random.default_rng(seed).normal(size=(3, PLACES))
    sums = total(log(kind, cascade, model), form)
    assert dr(sums)[0] == pytest.approx(truth(TARGET, cascade))
    assert sndr(sums)[0] == pytest.approx(truth(TARGET, cascade))


def test_the_item_position_form_is_wrong_where_shoppers_stop_and_the_cascade_form_is_not() -> None:
    assumed = total(log(Propensities.MARGINAL, True), Form.ITEM_POSITION)
    assert ips(assumed)[0] != pytest.approx(truth(TARGET, True), rel=0.02)


def test_a_good_model_makes_the_doubly_robust_estimate_less_noisy() -> None:
    model = np.stack([WORTH, 0.6 * WORTH], axis=1) + 0.05
    slates = log(Propensities.MARGINAL, False, model)
    sums = sums_by_shopper(slates, weights(slates, Form.ITEM_POSITION), clip=1e9)
    rng = np.random.default_rng(1)
    drawn = sums.drawn(rng.multinomial(7, [1 / 7] * 7, 500).astype(float))
    assert dr(drawn).std() < 0.5 * ips(drawn).std()


def test_a_form_refuses_propensities_of_the_other_kind() -> None:
    with pytest.raises(OpeRefusedError, match="item_position form needs marginal"):
        weights(log(Propensities.CONDITIONAL, False), Form.ITEM_POSITION)
    with pytest.raises(OpeRefusedError, match="cascade form needs conditional"):
        weights(log(Propensities.MARGINAL, False), Form.CASCADE)


def test_places_that_a_ranking_does_not_have_count_for_nothing() -> None:
    shown = np.array([[True, True], [True, False]])
    half = np.full((2, 2), 0.5)
    slates = LoggedSlates(
        np.array([0, 1]), shown, np.array([[1.0, 1.0], [1.0, 99.0]]), half, half,
        Propensities.MARGINAL,
    )  # fmt: skip
    assert ips(total(slates, Form.ITEM_POSITION))[0] == pytest.approx(1.5)


@pytest.mark.parametrize("field", ["logged", "target", "reward", "shopper"])
def test_a_log_that_cannot_be_is_refused_by_its_field(field: str) -> None:
    good = {
        "shopper": np.array([0]), "shown": np.ones((1, 1), bool), "reward": np.ones((1, 1)),
        "logged": np.full((1, 1), 0.5), "target": np.full((1, 1), 0.5),
    }  # fmt: skip
    bad = {"logged": np.zeros((1, 1)), "target": np.full((1, 1), 1.5),
           "reward": np.full((1, 1), np.nan), "shopper": np.array([-1])}  # fmt: skip
    with pytest.raises(ValueError, match=field):
        LoggedSlates(**{**good, field: bad[field]}, kind=Propensities.MARGINAL)
