"""Part two: texts a second of the tower, and pairs (candidates) a second of head and forest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from loadtests.gpu.check.model.carried import Carried
from loadtests.gpu.check.model.onnx_tower import OnnxTower
from loadtests.gpu.check.model.ranking import Forest, Head, Scorer
from loadtests.gpu.check.model.tower import BATCH, PRECISIONS, encode
from loadtests.gpu.check.report import Report, Row
from loadtests.gpu.check.scores import tower_of
from loadtests.gpu.check.variants import (
    COMPILED,
    EAGER,
    GRAPH,
    alone_ms,
    busy_ms,
    limited,
    prepared,
)

Made = Callable[[], nn.Module]
TOWER, SCORER, COMPILE = "tower", "scorer", "compiled"
# The precision that a device would serve comes first: what the time does not suffice for is last.
ORDER = ("float16", "float32", "bfloat16", "int8")
ONNXRUNTIME = "onnxruntime"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured, and for how many seconds each."""

    texts: int  # real ones, at most
    lengths: Sequence[int]  # tokens of a text
    batches: Sequence[int]  # texts
    rows: Sequence[int]  # candidates
    seconds: float
    compile_s: float  # at most, of one variant


FULL = Sizes(
    texts=4096,
    lengths=(8, 16, 32, 48),
    batches=(1, 8, 32, 128, 512, 2048),
    rows=(100, 400, 1600, 6400, 51_200),
    seconds=0.15,
    compile_s=60.0,
)
QUICK = Sizes(texts=8, lengths=(8,), batches=(1, 2), rows=(100,), seconds=0.02, compile_s=60.0)


def texts_of(tokens: npt.NDArray[np.int16], n: int, length: int) -> torch.Tensor:
    """`n` texts of exactly `length` tokens, int64 (n, length): real titles one behind another."""
    first, last = int(tokens[0, 0]), int(tokens[0, np.count_nonzero(tokens[0]) - 1])
    inner = tokens[(tokens != 0) & (tokens != first) & (tokens != last)]
    out = np.empty((n, length), np.int64)
    out[:, 0], out[:, -1] = first, last
    out[:, 1:-1] = np.resize(inner, (n, length - 2))
    return torch.from_numpy(out)


def features_of(carried: Carried, n: int) -> torch.Tensor:
    """`n` rows of real behaviour features, float32 (n, F + T); the matches are drawn."""
    known = carried.slates["FEATURES"]
    rows = np.resize(np.arange(len(known)), n)
    width = len(carried.about["text_feature_names"])
    matches = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
    return torch.from_numpy(np.concatenate([known[rows], matches], axis=1))


@torch.inference_mode()
def measure_tower(carried: Carried, device: torch.device, sizes: Sizes, report: Report) -> None:
    """Rows by precision, mode, batch and length; and all real texts, by length as serving runs."""
    served = "float16" if device.type == "cuda" else "float32"
    made = [
        (name, (EAGER, GRAPH), cache(partial(tower_of, carried, name, device))) for name in ORDER
    ]
    onnx = cache(partial(OnnxTower, carried.folder, carried.tower, served, device.type))
    for precision, modes, tower in [*made, (served, (ONNXRUNTIME,), onnx)]:
        report.tried(
            TOWER,
            {"precision": precision, "mode": modes[0], "batch": BATCH, "length": "real"},
            partial(_real_texts, carried, tower, device, sizes),
        )
        for length, batch, mode in product(sizes.lengths, sizes.batches, modes):
            tokens = texts_of(carried.texts["tokens"], batch, length).to(device)
            report.tried(
                TOWER,
                {"precision": precision, "mode": mode, "batch": batch, "length": length},
                partial(_timed, mode, tower, tokens, device, sizes.seconds, "texts_per_s"),
            )


@torch.inference_mode()
def measure_scorer(carried: Carried, device: torch.device, sizes: Sizes, report: Report) -> None:
    """Rows of the head by precision, of the forest, and of both, by mode and candidates."""
    networks: list[tuple[str, str, Made]] = [
        ("head", name, partial(Head, carried.ranker, PRECISIONS[name]))
        for name in ORDER
        if name != "int8"
    ]
    if "forest" in carried.about["blend"]:
        networks.append(("forest", "float32", partial(Forest, carried.ranker)))
    both = partial(Scorer, carried.ranker, carried.about, torch.float16)
    networks.append(("head and forest", "float16", both))
    for name, precision, made in networks:
        network = cache(partial(_on, made, device))
        for rows, mode in product(sizes.rows, (EAGER, GRAPH)):
            features = features_of(carried, rows).to(device)
            report.tried(
                SCORER,
                {"network": name, "precision": precision, "mode": mode, "batch": rows},
                partial(_timed, mode, network, features, device, sizes.seconds, "pairs_per_s"),
            )


@torch.inference_mode()
def measure_compiled(carried: Carried, device: torch.device, sizes: Sizes, report: Report) -> None:
    """torch.compile, of which each shape may take a minute, for the shapes of a usual batch."""
    served = "float16" if device.type == "cuda" else "float32"
    batch, length, rows = (
        each[len(each) // 2] for each in (sizes.batches, sizes.lengths, sizes.rows)
    )
    texts = texts_of(carried.texts["tokens"], batch, length).to(device)
    features = features_of(carried, rows).to(device)
    networks: list[tuple[str, str, Made, torch.Tensor]] = [
        ("head", served, partial(Head, carried.ranker, PRECISIONS[served]), features),
        ("tower", served, partial(tower_of, carried, served, device), texts),
        ("tower", "int8", partial(tower_of, carried, "int8", device), texts),
    ]
    if "forest" in carried.about["blend"]:
        networks.insert(1, ("forest", "float32", partial(Forest, carried.ranker), features))
    for name, precision, made, given in networks:

        def row(made: Made = made, given: torch.Tensor = given) -> Row:
            network = cache(partial(_on, made, device))
            unit = "texts_per_s" if given is texts else "pairs_per_s"
            plain = _timed(EAGER, network, given, device, sizes.seconds, unit)
            with limited(min(sizes.compile_s, report.left_s())):
                fast = _timed(COMPILED, network, given, device, sizes.seconds, unit)
            return {**fast, "eager_ms": plain["ms"]}

        what = {"network": name, "precision": precision, "mode": COMPILED, "batch": len(given)}
        report.tried(COMPILE, what, row)


def _on(made: Made, device: torch.device) -> nn.Module:
    return made().to(device).eval()


def _timed(
    mode: str,
    network: Made,
    given: torch.Tensor,
    device: torch.device,
    seconds: float,
    unit: str,
) -> Row:
    run = prepared(EAGER if mode == ONNXRUNTIME else mode, network(), [given])
    row: Row = busy_ms(run, device, seconds)
    return {**row, unit: 1000 * len(given) / row["ms"]}


def _real_texts(carried: Carried, tower: Made, device: torch.device, sizes: Sizes) -> Row:
    tokens, network = carried.texts["tokens"][: sizes.texts], tower()
    row: Row = alone_ms(lambda: encode(network, tokens, device), device, sizes.seconds)
    return {**row, "texts_per_s": 1000 * len(tokens) / row["ms"]}
