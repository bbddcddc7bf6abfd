"""The simulated shop: repeatable, biased by position as it says, and with a truth behind it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.datasets.format import DatasetError, read_dataset
from features.datasets.simulated.simulation import Simulation, simulate, write_simulation
from features.datasets.simulated.truth import examination, oracle_relevance, read_truth

SIZE = {"n_items": 300, "n_shoppers": 150, "n_sessions": 2_500, "days": 20}


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(seed=3, **SIZE)


def ndcg(impressions: pd.DataFrame, score: npt.NDArray[np.float64]) -> float:
    """Mean NDCG over rankings, linear gain = true relevance."""

    def gain(by: npt.NDArray[np.float64]) -> pd.Series:
        table = impressions.assign(by=-by).sort_values(["ranking_id", "by"], kind="stable")
        rank = table.groupby("ranking_id").cumcount()
        return (table["relevance"] / np.log2(rank + 2)).groupby(table["ranking_id"]).sum()

    return float((gain(score) / gain(impressions["relevance"].to_numpy())).mean())


def test_the_same_seed_gives_the_same_data_and_another_seed_does_not() -> None:
    small = {"n_items": 120, "n_shoppers": 30, "n_sessions": 100, "days": 5}
    first, again, other = (simulate(seed=seed, **small) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.dataset.items, again.dataset.items)
    pd.testing.assert_frame_equal(first.dataset.events, again.dataset.events)
    pd.testing.assert_frame_equal(first.truth.impressions, again.truth.impressions)
    assert not first.dataset.events.equals(other.dataset.events)


def test_click_rates_fall_with_position_as_the_examination_model_says(
    simulation: Simulation,
) -> None:
    # Over relevance-weighted impressions, what is left of the click rate is examination alone.
    truth = simulation.truth.impressions
    clicks = simulation.dataset.events.query("type == 'click'")["position"].value_counts()
    expected = truth.groupby("position")["relevance"].sum()
    examined = (clicks / expected).sort_index()
    assert examined[1] > 2 * examined[6] > 2.5 * examined[18]
    assert np.abs(examined.to_numpy() - examination(np.arange(1, 21)))[:10].max() < 0.1


def test_shuffled_slates_show_position_bias_without_relevance(simulation: Simulation) -> None:
    truth = simulation.truth.impressions
    shuffled = truth[truth["shuffled"]]
    assert 0.05 < len(shuffled) / len(truth) < 0.15
    by_place = shuffled.groupby("position")["relevance"].mean()
    ordered = truth[~truth["shuffled"]].groupby("position")["relevance"].mean()
    assert by_place[:5].mean() / by_place[15:].mean() < 1.15
    assert ordered[:5].mean() / ordered[15:].mean() > 1.2


def test_the_oracle_ranks_better_than_popularity_and_popularity_better_than_chance(
    simulation: Simulation,
) -> None:
    truth = simulation.truth.impressions
    clicks = simulation.dataset.events.query("type == 'click'")["item_id"].value_counts()
    popularity = np.asarray(truth["item_id"].map(clicks).fillna(0), dtype=np.float64)
    chance = np.random.default_rng(0).random(len(truth))
    oracle = np.concatenate(
        [
            oracle_relevance(
                simulation.truth,
                str(ranking_id).rsplit("-", 1)[0],
                slate["item_id"].tolist(),
                int(str(ranking_id).rsplit("-", 1)[1]) - 1,
            )
            for ranking_id, slate in truth.groupby("ranking_id", sort=False)
        ]
    )
    assert ndcg(truth, oracle) == pytest.approx(1.0, abs=1e-6)
    assert ndcg(truth, chance) + 0.02 < ndcg(truth, popularity) < 0.9


def test_text_tells_part_of_the_truth_and_not_all_of_it(simulation: Simulation) -> None:
    # Items of one brand differ in quality that no text shows; behaviour has to find it.
    latents = simulation.truth.items
    table = pd.DataFrame({"brand": latents.brand, "quality": latents.quality})
    within = table.groupby("brand")["quality"].std().mean()
    assert 0.6 < within < 1.0
    assert table.groupby("brand")["quality"].mean().std() > 0.2
    titles, kinds = simulation.dataset.items["title"], simulation.dataset.items["category"]
    leaf = kinds.str.rsplit(" > ", n=1).str[1]
    assert all(name in title for name, title in zip(leaf, titles, strict=True))
    assert titles.is_unique


def test_every_step_of_a_slate_names_its_ranking_and_position(simulation: Simulation) -> None:
    events = simulation.dataset.events
    shown = events[events["type"] == "impression"]
    places = shown.set_index(["ranking_id", "item_id"])["position"]
    assert places.index.is_unique
    assert (shown.groupby("ranking_id")["position"].max() == 20).all()
    for kind in ("click", "view", "add_to_cart", "purchase"):
        rows = events[events["type"] == kind]
        assert len(rows) > 0
        found = places.loc[list(zip(rows["ranking_id"], rows["item_id"], strict=True))]
        assert found.tolist() == rows["position"].tolist()


def test_nothing_is_shown_before_its_launch_and_dwell_grows_with_relevance(
    simulation: Simulation,
) -> None:
    events = simulation.dataset.events.merge(
        simulation.dataset.items[["item_id", "created_at"]], on="item_id"
    )
    assert (events["created_at"].fillna(0) <= events["at"]).all()
    assert events["created_at"].notna().any()
    dwell = events[events["type"] == "dwell"].merge(
        simulation.truth.impressions, on=["ranking_id", "item_id"]
    )
    assert dwell["dwell_ms"].corr(dwell["relevance"], method="spearman") > 0.2


def test_guests_and_new_shoppers_come_in_the_shares_promised(simulation: Simulation) -> None:
    sessions = simulation.truth.sessions
    assert 0.12 < sessions.is_guest.mean() < 0.18
    new = (sessions.shopper >= SIZE["n_shoppers"]) & ~sessions.is_guest
    assert 0.07 < new.mean() < 0.13
    assert simulation.dataset.info.simulated


def test_the_truth_is_read_back_and_gives_the_same_relevance(
    simulation: Simulation, tmp_path: Path
) -> None:
    write_simulation(simulation, tmp_path)
    read_dataset(tmp_path)
    truth = read_truth(tmp_path)
    ids = simulation.dataset.items["item_id"].tolist()[:50]
    stored = oracle_relevance(truth, "s000007", ids)
    assert stored == pytest.approx(oracle_relevance(simulation.truth, "s000007", ids), abs=1e-5)
    with pytest.raises(KeyError):
        oracle_relevance(truth, "s999999", ids)
    (tmp_path / "truth.npz").write_bytes(b"broken")
    with pytest.raises(DatasetError, match="truth"):
        read_truth(tmp_path)


def test_too_small_a_shop_is_refused() -> None:
    with pytest.raises(DatasetError, match="at least 100 items"):
        simulate(n_items=10)
