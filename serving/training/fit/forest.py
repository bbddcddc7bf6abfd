"""LambdaMART over the same columns as the head, and its translation to ONNX.

LambdaMART: Burges, 2010, "From RankNet to LambdaRank to LambdaMART"; the trees are LightGBM's.
"""

from dataclasses import dataclass

import lightgbm
import numpy as np
import numpy.typing as npt
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from features.arrays import FloatArray, RowArray

OPSET = 15
MAX_GRADE = 30


@dataclass(frozen=True, slots=True)
class ForestOptions:
    """What is tuned; the rest of LightGBM's options are fixed in `fit_forest`."""

    trees: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    min_rows: int = 100
    truncation: int = 20  # pairs below this place do not count
    threads: int = 2


def fit_forest(
    features: FloatArray,
    labels: FloatArray,
    weights: FloatArray,
    offsets: RowArray,
    seed: int,
    options: ForestOptions | None = None,
) -> lightgbm.Booster:
    """Trees for features (R, n) with NaN, labels (R,) in steps of 1 / MAX_GRADE of the largest."""
    options = options or ForestOptions()
    top = max(float(labels.max()), 1e-9)
    grades = np.rint(labels / top * MAX_GRADE).astype(int)
    # A slate of one row in which all is unknown. It has no pairs, but it makes LightGBM keep a
    # branch for NaN in each column, also where the training rows have none.
    unknown = np.full((1, features.shape[1]), np.nan, np.float32)
    data = lightgbm.Dataset(
        np.concatenate([unknown, features]),
        np.concatenate([[0], grades]),
        weight=np.concatenate([[1.0], weights]),
        group=np.concatenate([[1], np.diff(offsets)]),
        params={"bin_construct_sample_cnt": len(features) + 1, "max_bin": 127},
    )
    parameters = {
        "objective": "lambdarank",
        "label_gain": np.linspace(0, 1, MAX_GRADE + 1).tolist(),
        "num_leaves": options.leaves,
        "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.min_rows,
        "lambdarank_truncation_level": options.truncation,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": options.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return lightgbm.train(parameters, data, options.trees)


def forest_onnx(forest: lightgbm.Booster) -> bytes:
    """The trees as ONNX: `features` float32 (R, n) with NaN in, one score float32 (R, 1) out."""
    width = forest.num_feature()
    model = convert_lightgbm(
        forest, initial_types=[("features", FloatTensorType([None, width]))], target_opset=OPSET
    )
    for node in model.graph.node:
        for attribute in node.attribute:
            # LightGBM compares in doubles. A threshold that is rounded up to the next float32 would
            # send a feature of exactly that value to the other branch.
            if attribute.name == "nodes_values":
                attribute.floats[:] = _rounded_down(forest, list(attribute.floats))
    # The same trees give the same bytes: the converter's name is random, and so is the order of the
    # operator sets.
    model.graph.name = "forest"
    operator_sets = sorted(model.opset_import, key=lambda operator_set: operator_set.domain)
    del model.opset_import[:]
    model.opset_import.extend(operator_sets)
    encoded: bytes = model.SerializeToString()
    return encoded


def _rounded_down(forest: lightgbm.Booster, rounded: list[float]) -> list[float]:
    """The largest float32 not above each threshold; `rounded` are the nearest ones."""
    exact = np.sort(_thresholds(forest))
    if len(exact) == 0:
        return rounded
    values = np.array(rounded, np.float32)
    with np.errstate(over="ignore"):  # a split on NaN alone has the largest double as threshold
        nearest = exact.astype(np.float32)
    down = np.where(nearest > exact, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    at = np.clip(np.searchsorted(nearest, values), 0, len(nearest) - 1)
    matched = nearest[at] == values
    out: list[float] = np.where(matched, down[at], values).tolist()
    return out


def _thresholds(forest: lightgbm.Booster) -> npt.NDArray[np.float64]:
    thresholds = forest.trees_to_dataframe()["threshold"].dropna()
    return thresholds.astype(np.float64).unique()
