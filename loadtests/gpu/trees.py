"""The forest's ONNX node as arrays over all nodes of all trees, to be walked without ONNX."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

Arrays = dict[str, npt.NDArray[Any]]


class ForestError(ValueError):
    """A forest of another form than LightGBM's regression trees."""


def forest_arrays(model: onnx.ModelProto) -> Arrays:
    """By node: `feature` int64, `threshold` float32, `below`, `above`, `unknown` int64 (where a
    value up to the threshold, above it, and NaN lead; a leaf to itself), `leaf` float32 (what a
    leaf adds, else 0); `roots` int64 (1, trees); `depth`: steps to the lowest leaf.

    Raises ForestError.
    """
    node = next(n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor")
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    is_leaf = np.array([mode == b"LEAF" for mode in given["nodes_modes"]])
    branches = {mode for mode in given["nodes_modes"] if mode != b"LEAF"}
    if branches - {b"BRANCH_LEQ"} or given.get("base_values") or given["n_targets"] != 1:
        raise ForestError(f"branches {branches}, {given['n_targets']} targets, or base values")
    trees, ids = (np.array(given[f"nodes_{name}"]) for name in ("treeids", "nodeids"))
    place = {at: row for row, at in enumerate(zip(trees.tolist(), ids.tolist(), strict=True))}

    def led_to(name: str) -> npt.NDArray[np.int64]:
        targets = zip(trees.tolist(), given[name], strict=True)
        return np.array(
            [
                row if leaf else place[at]
                for row, (at, leaf) in enumerate(zip(targets, is_leaf, strict=True))
            ],
            np.int64,
        )

    below, above = led_to("nodes_truenodeids"), led_to("nodes_falsenodeids")
    leaf = np.zeros(len(ids), np.float32)
    for tree, of_tree, weight in zip(
        given["target_treeids"], given["target_nodeids"], given["target_weights"], strict=True
    ):
        leaf[place[tree, of_tree]] += weight
    roots = np.array([place[tree, 0] for tree in np.unique(trees).tolist()], np.int64)
    tracks = np.array(given["nodes_missing_value_tracks_true"], bool)
    return {
        "feature": np.where(is_leaf, 0, given["nodes_featureids"]).astype(np.int64),
        "threshold": np.array(given["nodes_values"], np.float32),
        "below": below,
        "above": above,
        "unknown": np.where(tracks, below, above),
        "leaf": leaf,
        "roots": roots[None],
        "depth": np.array(_depth(roots, below, above)),
    }


def _depth(roots: Any, below: npt.NDArray[np.int64], above: npt.NDArray[np.int64]) -> int:
    level, depth = np.unique(roots), 0
    while True:
        after = np.unique(np.concatenate([below[level], above[level]]))
        if np.array_equal(after, level):
            return depth
        level, depth = after, depth + 1
