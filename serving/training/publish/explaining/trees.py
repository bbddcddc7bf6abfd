"""A forest's ONNX file as arrays: what a version tells contributions from."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from serving.models.runtime.contributions import TREES, Trees

_LEAF, _SPLIT = b"LEAF", b"BRANCH_LEQ"


def add_trees(folder: Path) -> None:
    """Write the arrays of the version's forest beside it, if it has one."""
    if (folder / "forest.onnx").is_file():
        trees_of(folder / "forest.onnx").write(folder / TREES)


def trees_of(path: Path) -> Trees:
    """Read `TreeEnsembleRegressor`, the only node with trees; raises ValueError for another kind
    of split than LightGBM's."""
    graph = onnx.load(path).graph
    node = next(node for node in graph.node if node.op_type == "TreeEnsembleRegressor")
    of = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if {*of["nodes_modes"]} - {_LEAF, _SPLIT} or of.get("base_values"):
        raise ValueError(f"{path}: other trees than LightGBM's")
    names = list(zip(of["nodes_treeids"], of["nodes_nodeids"], strict=True))
    place = {name: index for index, name in enumerate(names)}
    values = dict(
        zip(
            zip(of["target_treeids"], of["target_nodeids"], strict=True),
            of["target_weights"],
            strict=True,
        )
    )
    is_leaf = [mode == _LEAF for mode in of["nodes_modes"]]
    leaf = {index: n for n, index in enumerate(np.flatnonzero(is_leaf).tolist())}
    children = [
        None if is_leaf[index] else (place[tree, left], place[tree, right])
        for index, ((tree, _), left, right) in enumerate(
            zip(names, of["nodes_truenodeids"], of["nodes_falsenodeids"], strict=True)
        )
    ]
    below = {child for pair in children if pair for child in pair}
    level = [index for index in range(len(names)) if index not in below]
    constant = [values.get(names[index], 0.0) for index in level if is_leaf[index]]
    order: list[int] = []
    levels = [0]
    while level := [index for index in level if not is_leaf[index]]:
        order += level
        levels.append(len(order))
        level = [child for index in level for child in children[index] or ()]
    number = {index: n for n, index in enumerate(order)} | {i: ~n for i, n in leaf.items()}
    sides = np.array([[number[c] for c in children[i] or ()] for i in order], np.int32)
    sides = sides.reshape(-1, 2)
    return Trees(
        levels=np.array(levels, np.int32),
        column=np.array(of["nodes_featureids"], np.int32)[order],
        threshold=np.array(of["nodes_values"], np.float32)[order],
        unknown_left=np.array(of["nodes_missing_value_tracks_true"], bool)[order],
        left=sides[:, 0],
        right=sides[:, 1],
        value=np.array([values.get(names[index], 0.0) for index in leaf], np.float64),
        constant=np.array(constant, np.float64),
    )
