"""Rows, cases and propensities: what the ranker is taught, and from what."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from features.behavior.matrix import BEHAVIOR_OF_ITEM, COLUMN
from features.behavior.replay import item_table
from features.catalog.counters import DAY_S
from features.datasets.format import DatasetError
from serving.training.data.baskets import baskets, discoveries, discovery_cases, next_basket_cases
from serving.training.data.cases import Draw
from serving.training.data.plans import make_plan
from serving.training.data.propensities import MAX_INVERSE, estimate_propensities, inverse_weights
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import concatenate, hide_behavior
from serving.training.fit.forest import ForestOptions
from serving.training.fit.head import HeadOptions
from serving.training.fit.training import TrainingOptions, train
from serving.training.fit.tuning import TuningOptions
from tests.support.tiny_shop import START_S, tiny_shop


def test_a_basket_is_ranked_from_what_was_known_before_it() -> None:
    shop = tiny_shop()
    for basket in baskets(shop, item_table(shop))[:50]:
        before = shop.events.iloc[: basket.position]
        assert (before["at"] < basket.at_s).all()
        assert shop.events["at"].iloc[basket.position] == basket.at_s


def test_a_log_that_can_teach_nothing_is_refused_in_one_line_that_names_it() -> None:
    shop = replace(tiny_shop(), folder=Path("shops/tiny"))
    begins = replace(shop, events=shop.events[:0])
    with pytest.raises(DatasetError, match=r"^shops/tiny: neither events\.parquet nor .*purchases"):
        make_plan(begins, item_table(begins), 0, 40)
    guests = replace(shop, events=shop.events.assign(user_id=""))
    with pytest.raises(DatasetError, match=r"^shops/tiny: no purchases of known shoppers"):
        make_plan(guests, item_table(guests), 0, 40)


def test_drawn_candidates_are_not_of_the_basket_and_come_once() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    chosen = baskets(shop, items)[-30:]
    draws = [Draw(popular=10, uniform=10, own=5)]
    cases = next_basket_cases(chosen, draws, np.random.default_rng(0), 0.5)
    slates = build_slates(shop, items, cases, seed=0)
    for index, basket in enumerate(chosen):
        part = slice(slates.offsets[index], slates.offsets[index + 1])
        rows, labels = slates.item_rows[part], slates.labels[part]
        assert len(set(rows.tolist())) == len(rows)
        assert not set(rows[labels == 0].tolist()) & set(basket.rows.tolist())
        assert labels.any()


def test_a_cart_that_is_begun_is_in_the_session_and_no_candidate() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    large = [basket for basket in baskets(shop, items) if len(basket.rows) >= 4][-10:]
    cases = next_basket_cases(large, [Draw(uniform=5)], np.random.default_rng(0), 1.0)
    slates = build_slates(shop, items, cases, seed=0)
    for index, case in enumerate(cases):
        part = slice(slates.offsets[index], slates.offsets[index + 1])
        history = set(slates.session_history[index][slates.session_history[index] >= 0].tolist())
        assert history == set(case.begun.tolist())
        assert not history & set(slates.item_rows[part].tolist())
        assert (slates.features[part, COLUMN["session_interactions"]] > 0).all()


def test_an_item_not_yet_in_the_catalogue_is_never_drawn() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    items.created_s[5] = START_S + 1_000 * DAY_S
    cases = next_basket_cases(
        baskets(shop, items)[-20:], [Draw(catalogue=True)], np.random.default_rng(0), 0.0
    )
    slates = build_slates(shop, items, cases, seed=0)
    assert 5 not in slates.item_rows[np.flatnonzero(slates.labels == 0)]


def test_a_discovery_wants_only_what_its_shopper_never_bought() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    found = discoveries(baskets(shop, items))
    cases = discovery_cases(found, [Draw(popular=5)], items, np.random.default_rng(0))
    assert cases
    for case in cases:
        before = shop.events.iloc[: case.position]
        had = items.rows(before["item_id"][before["user_id"] == case.user_id].tolist())
        assert not set(case.rows.tolist()) & set(had.tolist())


def test_hiding_behaviour_spares_text_and_price_and_does_not_look_at_labels() -> None:
    shop = tiny_shop()
    plan = make_plan(shop, item_table(shop), seed=0, n_train=60)
    slates = build_slates(shop, item_table(shop), plan.train, seed=0)
    hidden = hide_behavior(slates, 0.3, np.random.default_rng(0))
    unknown = np.isnan(hidden.features[:, list(BEHAVIOR_OF_ITEM)])
    new = np.asarray(unknown.all(axis=1))
    assert abs(new.mean() - 0.3) < 0.05
    assert abs(new[slates.labels > 0].mean() - 0.3) < 0.1
    price = COLUMN["item_log_price"]
    np.testing.assert_array_equal(hidden.features[:, price], slates.features[:, price])
    np.testing.assert_array_equal(hidden.features[~new], slates.features[~new])


def test_taking_and_joining_slates_keeps_each_with_its_candidates() -> None:
    shop = tiny_shop()
    plan = make_plan(shop, item_table(shop), seed=0, n_train=30)
    slates = build_slates(shop, item_table(shop), plan.train, seed=0)
    again = concatenate([slates.take(np.arange(10)), slates.take(np.arange(10, len(slates)))])
    np.testing.assert_array_equal(again.item_rows, slates.item_rows)
    np.testing.assert_array_equal(again.offsets, slates.offsets)
    np.testing.assert_array_equal(again.features, slates.features)


def test_propensities_of_a_simulated_click_log_are_found() -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    features = rng.normal(size=(n, 3)).astype(np.float32)
    positions = rng.integers(1, 9, n)
    wanted = 1 / (1 + np.exp(-2 * features[:, 0]))
    truth = np.arange(1, 9) ** -0.7
    clicked = rng.random(n) < wanted * truth[positions - 1]
    found = estimate_propensities(clicked, positions, features, seed=0)
    assert found[0] == 1.0
    np.testing.assert_allclose(found, truth, atol=0.05)


def test_only_what_was_clicked_gets_an_inverse_weight_and_it_is_clipped() -> None:
    labels = np.array([1, 0, 5, 1], np.float32)
    propensities = np.array([1.0, 0.5, 0.01], np.float32)
    weights = inverse_weights(np.array([2, 2, 3, 1]), labels, propensities)
    assert weights.tolist() == pytest.approx([2.0, 1.0, MAX_INVERSE, 1.0])


def _small(steps: int) -> TrainingOptions:
    return TrainingOptions(
        seed=1,
        n_train=40,
        tuning=TuningOptions(steps=steps, slates=2, wanted=2, unwanted=3, history=2),
        head=HeadOptions(units=(16, 8), epochs=1, slates=16),
        forest=ForestOptions(trees=3, min_rows=5, threads=1),
    )


def test_training_is_the_same_twice_and_beats_chance(tmp_path: Path) -> None:
    shop = tiny_shop()
    first = train(shop, tmp_path / "a", _small(2))
    second = train(replace(shop), tmp_path / "b", _small(2))
    assert first["metrics"] == second["metrics"]
    assert first["metrics"]["valid_ndcg@10_blend"] > 0.3
    for name in ("encoder_delta.safetensors", "head.onnx", "forest.onnx"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a/held_out.npz").stat().st_size < 600_000
    weights = {
        each.name: each.dims for each in onnx.load(tmp_path / "a/head.onnx").graph.initializer
    }
    assert weights["first.weight"][0] == 16
    assert list(weights["second.weight"]) == [8, 16]
