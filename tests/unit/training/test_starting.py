"""The ranker that a shop starts with: learnt in several shops, without what only one could mean."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from features.behavior.matrix import COLUMN
from features.datasets.format import DatasetInfo
from serving.local.models import GROCERY_BUNDLE, STARTING_BUNDLE, bundle_for
from serving.training.fit.forest import ForestOptions
from serving.training.fit.head import HeadOptions
from serving.training.fit.starting import train_starting
from serving.training.fit.training import OF_QUERY, TrainingOptions
from tests.support.tiny_shop import tiny_shop


def test_a_starting_ranker_learns_of_all_shops_and_leaves_the_texts_network_as_it_is(
    tmp_path: Path,
) -> None:
    options = TrainingOptions(
        seed=1,
        n_train=40,
        head=HeadOptions(units=(16, 8), epochs=1, slates=16),
        forest=ForestOptions(trees=3, min_rows=5, threads=1),
    )
    first = tiny_shop()
    second = replace(tiny_shop(seed=1, n_items=40), info=DatasetInfo(name="second"))
    about = train_starting([first, second], tmp_path / "b", options)
    assert [data["name"] for data in about["datasets"]] == [first.info.name, "second"]
    assert (
        about["slates"]["train"]
        > train_starting([first], tmp_path / "a", options)["slates"]["train"]
    )
    delta = load_file(tmp_path / "b/encoder_delta.safetensors")
    assert not any(change.any() for name, change in delta.items() if name.endswith("lora_B"))
    assert set(OF_QUERY) <= about["unlearnt"].keys()


def test_the_starting_ranker_that_is_shipped_is_of_several_shops_and_of_no_query() -> None:
    training = json.loads((STARTING_BUNDLE / "training.json").read_text())
    assert len(training["datasets"]) >= 3
    assert set(OF_QUERY) <= training["unlearnt"].keys()
    assert training["feature_names"] == list(COLUMN)
    with np.load(STARTING_BUNDLE / "held_out.npz") as held_out:
        assert held_out["LABELS"].any()


def test_only_the_demonstration_begins_with_the_grocers_ranker() -> None:
    assert bundle_for("grocery") == GROCERY_BUNDLE
    assert bundle_for("my-shop") == bundle_for("/data/grocery") == STARTING_BUNDLE
