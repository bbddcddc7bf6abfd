"""Interleaving by the slate policy that serves, small; `make experiment-proofs` runs it in full."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from loadtests.experiments.interleaved import Shop, visits, without_difference
from loadtests.experiments.proofs import Size
from loadtests.experiments.served import (
    RULES,
    Served,
    needed_by_ab,
    proof,
    served,
    served_opposites,
    slates,
)
from serving.experiments.statistics.interleaving import NEITHER

SILENT = Console(file=io.StringIO())


def standard_errors(told: Served) -> float:
    """By how many the credit is off a half."""
    return float(abs(told.share - 0.5) / (0.5 / told.credit.sum() ** 0.5))


def test_the_rules_hold_in_every_slate_and_what_they_place_is_nobodys() -> None:
    rng = np.random.default_rng(1)
    made = slates(Shop(), *visits(Shop(), 100, rng).orders, rng)
    pinned = [pin.position - 1 for pin in RULES.pins]
    assert made.shown[:, pinned].tolist() == [[5, 9]] * len(made.shown)
    assert (made.shown % 6 != 2).all()  # buried behind the first ten
    assert ((made.teams == NEITHER).sum(axis=1) == len(pinned)).all()
    assert (made.teams[:, pinned] == NEITHER).all()
    for row, teams in zip(made.shown[:, :8].tolist(), made.teams.tolist(), strict=True):
        kinds = [item % 5 for item in row]
        free = [place for place in range(8) if place not in pinned]
        assert all(kinds[at] not in kinds[max(at - 2, 0) : at] for at in free)
        picks = [team for team in teams if team != NEITHER]
        assert all(sorted(picks[at : at + 2]) == [0, 1] for at in range(0, 8, 2))


def test_equal_rankers_and_clicks_that_ignore_the_items_favour_no_one() -> None:
    rng = np.random.default_rng(5)
    assert standard_errors(served(without_difference(Shop()), 400, 4, rng)) < 4
    assert standard_errors(served_opposites(Shop(), 400, 4, rng)) < 4


def test_a_better_ranker_is_found_through_pins_buries_and_diversity() -> None:
    shop = replace(Shop(), noise=(1.0, 0.4))
    told = served(shop, 1_200, 4, np.random.default_rng(5))
    assert told.found.wrong == 0
    assert told.found.right >= 3
    assert told.share > 0.52


def test_the_plan_of_an_ab_test_has_the_rules_in_it() -> None:
    shop = replace(Shop(), noise=(1.0, 0.4))
    shoppers, lift = needed_by_ab(shop, 600, np.random.default_rng(5))
    assert 0.05 < lift < 0.2
    assert 2_000 < shoppers < 40_000


@pytest.mark.timeout(300)
def test_the_proof_says_what_it_measured() -> None:
    shop = replace(Shop(), noise=(1.0, 0.4))
    proved = proof(replace(Size(), served=2), 3, SILENT, shop, pilot=400)
    assert [bar.runs for bar in proved.bars] == [None, 2, None, 2, 2]
    assert proved.figures["shoppers"] == proved.figures["shoppers_ab"] // 20
    assert {"equal rankers", "a better ranker"} <= proved.figures.keys()
