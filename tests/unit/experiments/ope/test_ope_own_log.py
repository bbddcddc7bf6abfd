"""A shop's own log evaluated: rankings sampled by Plackett-Luce, and what shoppers clicked."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord
from features.ingest.keeping.archiving import Archiver
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER
from features.store.archive import Archive
from features.store.backends import open_event_log
from features.store.settings import StoreSettings, embedded_store
from serving.experiments.ope.__main__ import main
from serving.experiments.ope.estimators import Form
from serving.experiments.ope.evaluation import evaluate
from serving.experiments.ope.own_log import own_log
from serving.experiments.ope.policies import PlackettLuce
from serving.experiments.ope.slates import OpeRefusedError, Propensities

K, DEPTH, EXAMINED = 6, 2, np.array([0.6, 0.4, 0.25, 0.15, 0.1, 0.05])
CLICK = {"click": 1.0}


def worth(features: np.ndarray) -> np.ndarray:
    """The chance that an item is clicked when it is examined."""
    return np.asarray(1 / (1 + np.exp(1.0 - features[..., 0])))


def simulated(
    n: int, temperature: float, seed: int = 1
) -> tuple[list[RankingRecord], list[BehaviorEvent]]:
    """The ranker's scores are the first feature upside down: what it does is not the best."""
    rng = np.random.default_rng(seed)
    rankings, events = [], []
    for number in range(n):
        features = rng.normal(size=(K, 2))
        scores = -features[:, 0]
        noisy = scores + temperature * rng.gumbel(size=K)
        order = np.argsort(-noisy)
        odds = np.exp(scores[order] / temperature) if temperature else np.ones(K)
        left = np.cumsum(odds[::-1])[::-1]
        propensity = odds / left if temperature else np.ones(K)
        clicked = rng.random(K) < EXAMINED * worth(features[order])
        name = f"ranking-{number}"
        rankings.append(
            RankingRecord(
                name, 1.0, "model", tuple(f"item-{item}" for item in order), f"user-{number % 900}",
                scores=scores[order].astype(np.float32), propensities=propensity.astype(np.float32),
                features=features[order].astype(np.float32),
            )
        )  # fmt: skip
        events += [
            BehaviorEvent(
                f"{name}-{place}-{again}", EventType.CLICK, 2.0, f"user-{number % 900}",
                item_id=f"item-{order[place]}", ranking_id=name,
            )
            for place in np.flatnonzero(clicked)
            for again in range(2)
        ]  # fmt: skip
    return rankings, events


def true_value(scores_sign: float, seed: int = 99, n: int = 40_000) -> float:
    """Clicks in the first places when items are ordered by their first feature times the sign."""
    features = np.random.default_rng(seed).normal(size=(n, K))
    ordered = np.take_along_axis(features, np.argsort(-scores_sign * features, axis=1), axis=1)
    return float((EXAMINED * worth(ordered[..., None]))[:, :DEPTH].sum(axis=1).mean())


@pytest.fixture(scope="module")
def sampled() -> tuple[list[RankingRecord], list[BehaviorEvent]]:
    return simulated(10_000, temperature=5.0)


def test_another_rankers_reward_is_found_in_the_log_of_one_that_ranked_the_other_way(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    rankings, events = sampled
    own = own_log(rankings, events, CLICK)
    better = {
        (ranking.ranking_id, item): float(-score)
        for ranking in rankings
        for item, score in zip(ranking.item_ids, ranking.scores, strict=True)
    }
    slates = own.slates(PlackettLuce(0.0), Propensities.CONDITIONAL, DEPTH, better)
    told = evaluate(slates, Form.CASCADE, clip=1e6)
    assert told.refused is None
    truth = true_value(+1.0)
    for name in ("snips", "dr", "sndr"):
        assert told.estimates[name].low <= truth <= told.estimates[name].high, name
        assert told.gains[name].low > 0
    assert told.logged.high < truth


def test_a_click_told_twice_counts_once(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    rankings, events = sampled
    own = own_log(rankings, events, CLICK)
    assert own.reward.max() == 1.0
    assert own.reward.sum() == len(events) / 2
    assert own.shopper.max() == 899


def test_an_interleaved_ranking_is_not_taken_for_an_explored_one(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    rankings, events = sampled
    teams = np.zeros(K, np.int8)
    shared = [replace(each, teams=teams, arms=("a", "b")) for each in rankings[:40]]
    assert len(own_log([*shared, *rankings[40:50]], events, CLICK).ranking_ids) == 10
    with pytest.raises(OpeRefusedError, match="left nothing to chance"):
        own_log(shared, events, CLICK)


def test_a_log_without_chance_is_refused_with_words() -> None:
    rankings, events = simulated(20, temperature=0.0)
    with pytest.raises(OpeRefusedError, match="left nothing to chance"):
        own_log(rankings, events, CLICK)
    with pytest.raises(OpeRefusedError, match="no ranking of route 'fallback'"):
        own_log(rankings, events, CLICK, route="fallback")


def test_rankings_without_chance_are_left_out_and_counted(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    plain, _ = simulated(50, temperature=0.0)
    own = own_log([*plain, *sampled[0]], sampled[1], CLICK)
    assert own.read == 10_050
    assert len(own.ranking_ids) == 10_000


def test_too_little_support_is_refused_instead_of_told(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    own = own_log(sampled[0][:1_000], sampled[1], CLICK)
    worse_covered = {
        (ranking, item): -float(score)
        for ranking, items, scores in zip(own.ranking_ids, own.item_ids, own.scores, strict=True)
        for item, score in zip(items, scores, strict=True)
    }
    slates = own.slates(PlackettLuce(0.0), Propensities.CONDITIONAL, DEPTH, worse_covered)
    told = evaluate(slates, Form.CASCADE)
    assert told.estimates == {}
    assert told.refused is not None
    assert told.support is not None
    assert told.support.effective < 100


def test_propensities_that_are_not_of_the_same_candidates_are_noticed(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    """As if only the last four of six items had been recorded."""

    def cut(ranking: RankingRecord) -> RankingRecord:
        return RankingRecord(
            ranking.ranking_id, 1.0, "model", ranking.item_ids[:2], ranking.user_id,
            scores=ranking.scores[:2], propensities=ranking.propensities[:2],
            features=ranking.features[:2],
        )  # fmt: skip

    own = own_log([cut(ranking) for ranking in sampled[0]], sampled[1], CLICK)
    told = evaluate(own.slates(PlackettLuce(1.0), Propensities.CONDITIONAL, DEPTH), Form.CASCADE)
    assert told.refused is not None
    assert "mean weight" in told.refused


def test_a_missing_score_is_refused_by_its_ranking(
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    own = own_log(sampled[0][:5], sampled[1], CLICK)
    with pytest.raises(OpeRefusedError, match="'ranking-0' has none for item"):
        own.slates(PlackettLuce(0.0), Propensities.CONDITIONAL, DEPTH, {})


def command(state: Path, *options: str) -> list[str]:
    return ["--state", str(state), "--out", str(state / "ope.json"), *options]


def kept(state: Path, rankings: Sequence[RankingRecord], events: Sequence[BehaviorEvent]) -> None:
    state.mkdir()
    log = open_event_log(embedded_store(state))
    log.append_rankings(rankings)
    log.append(events)
    log.close()


def test_the_command_evaluates_a_running_shops_log(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sampled: tuple[list[RankingRecord], list[BehaviorEvent]],
) -> None:
    rankings, events = sampled[0][:1_500], sampled[1]
    kept(tmp_path / "state", rankings, events)
    scores = pd.DataFrame(
        [
            (ranking.ranking_id, item, float(score) / 2)
            for ranking in rankings
            for item, score in zip(ranking.item_ids, ranking.scores, strict=True)
        ],
        columns=["ranking_id", "item_id", "score"],
    )
    scores.to_parquet(tmp_path / "scores.parquet")
    options = ["--propensities", "conditional", "--depth", "2", "--reward", "click=2"]
    assert main(command(tmp_path / "state", "--temperature", "4", *options)) == 0
    assert (tmp_path / "state" / "ope.png").stat().st_size > 5_000
    assert "1,500 of 1,500 rankings were explored" in capsys.readouterr().out
    by_file = ["--scores", str(tmp_path / "scores.parquet"), "--temperature", "2"]
    assert main(command(tmp_path / "state", *by_file, *options)) == 0
    assert "scores.parquet, temperature 2" in capsys.readouterr().out


def test_the_command_refuses_a_log_without_chance_and_what_is_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path / "state", *simulated(20, temperature=0.0))
    assert main(command(tmp_path / "state")) == 1
    assert "not said: every propensity is 1" in capsys.readouterr().err
    assert main(command(tmp_path)) == 2
    assert "no event log here" in capsys.readouterr().err
    assert main(command(tmp_path / "state", "--reward", "applause=1")) == 2
    assert "reward" in capsys.readouterr().err


def test_rankings_that_the_log_has_forgotten_are_evaluated_from_the_archive(
    tmp_path: Path, sampled: tuple[list[RankingRecord], list[BehaviorEvent]]
) -> None:
    state, url = tmp_path / "state", str(tmp_path / "archive")
    kept(state, sampled[0][:1_500], sampled[1])
    store = StoreSettings(state=state, archive=url)
    (tmp_path / "store.json").write_text(store.model_dump_json())
    by_file = ["--store", str(tmp_path / "store.json"), "--out", str(tmp_path / "ope.json")]

    def told() -> str:
        assert main([*by_file, "--temperature", "4", "--reward", "click=2", "--depth", "2"]) == 0
        return (tmp_path / "ope.json").read_text()

    before = told()
    log = open_event_log(store)
    log.commit(CONSUMER, log.last_seq())
    settings = IngestSettings(store=store)
    Archiver(log, Archive(url), settings, clock=lambda: 2.0).catch_up()
    assert told() == before  # what stands in both counts once
    while log.prune(time.time() + 1):
        pass
    assert not log.read_rankings(0, 1)
    log.close()
    assert told() == before


def test_an_archive_that_cannot_be_read_is_told_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path / "state", *simulated(5, temperature=1.0))
    (tmp_path / "no folder").write_text("")
    store = StoreSettings(state=tmp_path / "state", archive=str(tmp_path / "no folder"))
    (tmp_path / "store.json").write_text(store.model_dump_json())
    assert main(["--store", str(tmp_path / "store.json")]) == 2
    assert "no folder" in capsys.readouterr().err
