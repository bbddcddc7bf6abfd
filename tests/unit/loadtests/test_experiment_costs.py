"""What experiments and shadows cost is measured in turns, and a cost is found when there is one."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from loadtests.bench.clients import Answers
from loadtests.experiments.assignment_cost import DECLARED, PARTS, measured
from loadtests.experiments.assignment_cost import told as told_of_assignment
from loadtests.experiments.shadow_cost import (
    AGAIN,
    INTERLEAVED,
    PAGES,
    SHADOWED,
    WITHOUT,
    counted_in,
    ratio,
    told,
    with_experiments,
)
from serving.experiments.draw import Asked, shadows_of
from serving.shops.rules import read_rules


def rounds(slower: float, tail: float = 1.0, seed: int = 0) -> list[np.ndarray]:
    """Latencies of 20 rounds, each of a moment of its own."""
    rng = np.random.default_rng(seed)
    moments = np.random.default_rng(99).uniform(50, 70, 20)
    found = [moment * slower * rng.lognormal(0, 0.1, 300) for moment in moments]
    for block in found:
        block[::50] *= tail
    return found


def test_blocks_alike_have_a_ratio_of_one_and_a_longer_tail_is_found() -> None:
    usual = rounds(1.0, tail=2.0)
    alike = ratio(rounds(1.0, tail=2.0, seed=1), usual, 0.99)
    assert alike.low < 1 < alike.high
    longer = ratio(rounds(1.0, tail=3.0, seed=1), usual, 0.99)
    assert longer.low > 1.2
    assert ratio(rounds(1.0, tail=3.0, seed=1), usual, 0.5).mean == pytest.approx(1, abs=0.02)


def blocks(tail: float) -> dict[str, list[Answers]]:
    names = {WITHOUT: (2.0, 1), AGAIN: (2.0, 2), SHADOWED: (tail, 3), INTERLEAVED: (2.5, 4)}
    return {
        name: [Answers(block.tolist(), Counter(model=300), 10.0) for block in rounds(1.0, *how)]
        for name, how in names.items()
    }


def test_a_shadow_that_makes_the_tail_longer_costs_and_one_that_ranked_little_says_nothing() -> (
    None
):
    costs = told(blocks(3.0), Counter(ok=1_100, busy=100), 30.0)
    assert costs["costs"]
    assert costs["ranked"]
    idle = told(blocks(2.0), Counter(ok=100, busy=1_100), 30.0)
    assert not idle["costs"]
    assert not idle["ranked"]
    assert idle["rankings"] == dict.fromkeys(PAGES, 6_000)
    assert idle["ratios"]["interleaved, p99"]["low"] > 1


def test_the_shadow_takes_its_share_of_one_page_and_none_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(with_experiments("diversity: {max_same: 2}", "8"))
    rules = read_rules(path)
    assert rules.diversity.max_same == 2
    (shadow,) = shadows_of(rules, "shop")
    taken = {
        page: sum(shadow.takes(f"{n:032x}", Asked("rank", page=page)) for n in range(5_000))
        for page in ("plain", "shadowed", "interleaved")
    }
    assert taken["plain"] == taken["interleaved"] == 0
    assert taken["shadowed"] == pytest.approx(1_000, abs=120)


def test_what_became_of_the_shadow_is_read_from_the_metrics() -> None:
    text = (
        "# TYPE vitrine_shadow_rankings_total counter\n"
        'vitrine_shadow_rankings_total{shop="default",experiment="shadowed",outcome="ok"} 12.0\n'
        'vitrine_shadow_rankings_total{shop="default",experiment="shadowed",outcome="busy"} 3.0\n'
        'vitrine_rankings_total{route="model",reason="none",variant="default"} 99.0\n'
    )
    assert counted_in(text) == Counter(ok=12, busy=3)


def test_what_experiments_cost_is_told_by_part_and_against_none() -> None:
    found = measured(2, Console(file=io.StringIO()))
    assert found.keys() == DECLARED.keys()
    for name, spent in found.items():
        assert spent.shape == (2, len(PARTS))
        more = told_of_assignment(spent, found["none"])["more"]
        assert more["low"] <= more["mean"] <= more["high"]
        assert (more["mean"] == 0) == (name == "none")
