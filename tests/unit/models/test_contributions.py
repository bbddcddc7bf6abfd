"""Contributions are Shapley values of the score, and add up to it."""

import json
from itertools import combinations
from math import factorial
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto

from features.arrays import DoubleArray, FloatArray
from serving.models.columns.families import FAMILIES, ZERO_WHEN_UNKNOWN, Family, families_of
from serving.models.runtime.contributions import Contributions, Trees
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.fit.forest import forest_onnx
from serving.training.publish.explaining.trees import trees_of

BUNDLES = Path(__file__).resolve().parents[3] / "serving" / "training" / "bundles"


class Bundle:
    """The two members of a committed bundle, and what its contributions are told from."""

    def __init__(self, folder: Path) -> None:
        training = json.loads((folder / "training.json").read_text())
        self.names = [*training["feature_names"], *TEXT_FEATURES]
        self.unlearnt = {
            self.names.index(name): np.nan if value is None else value
            for name, value in training["unlearnt"].items()
        }
        self._blend = training["blend"]
        self._sessions = {
            name: onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in self._blend
        }
        self.baseline = np.full(len(self.names), np.nan, np.float32)
        for name in ZERO_WHEN_UNKNOWN:
            self.baseline[self.names.index(name)] = 0.0
        self._as_trained(self.baseline[None])
        forest = self._blend["forest"]
        scale = forest["weight"] / forest["std"]
        self.contributions = Contributions(
            trees_of(folder / "forest.onnx"), scale, -scale * forest["mean"],
            [lambda rows: self.part("head", rows)], self.baseline,
            families_of(self.names), len(FAMILIES),
        )  # fmt: skip

    def part(self, name: str, rows: FloatArray) -> FloatArray:
        """What one member adds to the scores, (n,)."""
        of, raw = self._blend[name], self._sessions[name].run(None, {"features": rows})[0][:, 0]
        added: FloatArray = np.float32(of["weight"] / of["std"]) * (raw - np.float32(of["mean"]))
        return added

    def score(self, rows: FloatArray) -> FloatArray:
        """(n,)"""
        return self.part("head", rows) + self.part("forest", rows)

    def rows(self, n: int, seed: int) -> FloatArray:
        """Columns as held-out slates have them, each from another row: (n, columns)."""
        rng = np.random.default_rng(seed)
        with np.load(BUNDLES / "grocery" / "held_out.npz") as stored:
            known = stored["FEATURES"]
        picked = rng.integers(0, len(known), (n, known.shape[1]))
        features = known[picked, np.arange(known.shape[1])]
        text = rng.uniform(-1, 1, (n, len(TEXT_FEATURES)))
        text[rng.random(text.shape) < 0.3] = np.nan
        rows = np.concatenate([features, text], axis=1).astype(np.float32)
        self._as_trained(rows)
        return rows

    def _as_trained(self, rows: FloatArray) -> None:
        for column, value in self.unlearnt.items():
            rows[:, column] = value


@pytest.fixture(scope="module", params=["grocery", "starting"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return Bundle(BUNDLES / str(request.param))


def by_definition(bundle: Bundle, row: FloatArray) -> DoubleArray:
    """The Shapley value of each family, from the scores of all coalitions."""
    family, n = np.array(families_of(bundle.names)), len(FAMILIES)
    worth = {}
    for size in range(n + 1):
        for coalition in combinations(range(n), size):
            mixed = np.where(np.isin(family, coalition), row, bundle.baseline)
            worth[coalition] = float(bundle.score(mixed[None].astype(np.float32))[0])
    values = np.zeros(n)
    for coalition, score in worth.items():
        for player in range(n):
            if player not in coalition:
                share = factorial(len(coalition)) * factorial(n - len(coalition) - 1) / factorial(n)
                joined = tuple(sorted((*coalition, player)))
                values[player] += share * (worth[joined] - score)
    return values


def test_contributions_add_up_to_the_score(bundle: Bundle) -> None:
    rows = bundle.rows(500, seed=1)
    told = bundle.contributions.of(rows)
    np.testing.assert_allclose(told.sum(axis=1), bundle.score(rows), atol=1e-4)
    np.testing.assert_allclose(told[:, 0], bundle.score(bundle.baseline[None])[0], atol=1e-5)


def test_contributions_are_the_shapley_values_by_their_definition(bundle: Bundle) -> None:
    row = bundle.rows(2, seed=2)
    told = bundle.contributions.of(row)
    for place in range(len(row)):
        np.testing.assert_allclose(told[place, 1:], by_definition(bundle, row[place]), atol=1e-5)


def test_a_family_in_which_nothing_is_known_adds_nothing(bundle: Bundle) -> None:
    rows = bundle.rows(50, seed=3)
    price = np.array(families_of(bundle.names)) == FAMILIES.index(Family.PRICE)
    rows[:, price] = np.nan
    told = bundle.contributions.of(rows)
    assert np.all(told[:, 1 + FAMILIES.index(Family.PRICE)] == 0)
    assert np.all(told[:, 1 + FAMILIES.index(Family.QUERY_MATCH)] == 0)  # was not learnt
    assert np.any(told[:, 1 + FAMILIES.index(Family.POPULARITY)] != 0)


def test_an_item_is_told_the_same_alone_and_among_others(bundle: Bundle) -> None:
    rows = bundle.rows(30, seed=4)
    alone = np.concatenate([bundle.contributions.of(row[None]) for row in rows])
    np.testing.assert_allclose(alone, bundle.contributions.of(rows), atol=1e-5)


def test_unknown_values_take_the_ways_that_the_forest_has_for_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(600, 4)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.4] = np.nan
    labels = np.where(np.isnan(rows[:, 0]), 2.0, np.nan_to_num(rows[:, 1])) + np.isnan(rows[:, 2])
    options = {"objective": "regression", "num_leaves": 12, "verbose": -1, "num_threads": 1}
    forest = lightgbm.train(options, lightgbm.Dataset(rows, labels), num_boost_round=8)
    path = tmp_path / "forest.onnx"
    path.write_bytes(forest_onnx(forest))
    trees_of(path).write(tmp_path / "forest.npz")
    told = Contributions(
        Trees.read(tmp_path / "forest.npz"), 1.0, 0.0, [], np.full(4, np.nan, np.float32),
        [0, 1, 2, 3], 4,
    )  # fmt: skip
    np.testing.assert_allclose(told.of(rows).sum(axis=1), forest.predict(rows), atol=1e-5)


def test_trees_of_another_kind_are_refused(tmp_path: Path) -> None:
    model = ModelProto.FromString((BUNDLES / "grocery" / "forest.onnx").read_bytes())
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "nodes_modes":
            attribute.strings[0] = b"BRANCH_LT"
    (tmp_path / "forest.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="other trees"):
        trees_of(tmp_path / "forest.onnx")


def test_every_column_of_the_ranker_has_a_family() -> None:
    for name in ("grocery", "starting"):
        names = json.loads((BUNDLES / name / "training.json").read_text())["feature_names"]
        assert FAMILIES.index(Family.OTHER) not in families_of([*names, *TEXT_FEATURES])
