"""Part one: is a precision fit to serve? Its vectors and scores beside the CPU's.

The scores are those of held-out slates. The measures are those of the gate of publishing
(serving/training/publish/parity.py), with the gate's limits, against the CPU's float32; and how far
a ranking differs from what the published int8 version answers.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from loadtests.gpu.check.model.carried import Carried
from loadtests.gpu.check.model.onnx_tower import OnnxTower
from loadtests.gpu.check.model.ranking import Ranking, Scorer
from loadtests.gpu.check.model.requests import padded_requests, table
from loadtests.gpu.check.model.tower import PRECISIONS, Tower, encode, encode_padded
from loadtests.gpu.check.report import Report, Row
from serving.training.quality import quality

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Encode = Callable[[nn.Module, npt.NDArray[np.int16], torch.device], Floats]
PART = "scores"
DEPTH = 10
_ONE_SIDED_95 = 1.645  # normal quantile, as of the gate
_COMPARED = 400  # texts, of the order in which they match each other


def measure(carried: Carried, device: torch.device, report: Report, texts: int) -> None:
    """A row for each precision, one of ONNX Runtime, one for all lengths in one run.

    texts: encoded at most; the others have the CPU's float32 vectors.
    """
    served = "float16" if device.type == "cuda" else "float32"
    ways: list[tuple[str, str, Callable[[], nn.Module], Encode]] = [
        (name, "pytorch", partial(tower_of, carried, name, device), encode) for name in PRECISIONS
    ]
    ways.append(
        (served, "pytorch, padded", partial(tower_of, carried, served, device), encode_padded)
    )
    onnx = partial(OnnxTower, carried.folder, carried.tower, served, device.type)
    ways.append((served, "onnxruntime", onnx, encode))
    for precision, runs, tower, encoded in ways:

        def row(
            precision: str = precision,
            tower: Callable[[], nn.Module] = tower,
            encoded: Encode = encoded,
        ) -> Row:
            vectors = encoded(tower(), carried.texts["tokens"][:texts], device)
            return _compared(carried, vectors, scores_of(carried, vectors, precision, device))

        report.tried(PART, {"precision": precision, "runs": runs}, row)


def tower_of(carried: Carried, precision: str, device: torch.device) -> Tower:
    """The carried tower on the device."""
    constants = {**carried.tower, **carried.int8} if precision == "int8" else carried.tower
    return Tower(constants, precision).to(device).eval()


@torch.inference_mode()
def scores_of(carried: Carried, vectors: Floats, precision: str, device: torch.device) -> Floats:
    """Scores (R,) of the held-out slates on the device.

    vectors (n, size): of the first texts; of the others they are the CPU's in float32.
    """
    vectors = np.concatenate([vectors, carried.reference["float32.vectors"][len(vectors) :]])
    asked = padded_requests(carried.slates, carried.texts["keys"])
    scorer = Scorer(carried.ranker, carried.about, PRECISIONS[precision])
    tower = tower_of(carried, precision, device)
    ranking = Ranking(tower, scorer, table(vectors)).to(device)
    scores = ranking(*asked.to(device)).cpu().numpy()
    there = np.arange(scores.shape[1]) < carried.slates["ROW_COUNTS"][:, None]
    out: Floats = scores[there]
    return out


def _compared(carried: Carried, vectors: Floats, scores: Floats) -> Row:
    reference = carried.reference
    offsets = np.concatenate([[0], np.cumsum(carried.slates["ROW_COUNTS"])]).astype(np.int64)
    exact = reference["float32.vectors"][: len(vectors)]
    cosines = np.sum(exact * vectors, axis=1) / np.linalg.norm(vectors, axis=1)
    labels = carried.slates["LABELS"]
    before, after = (
        quality(values, labels, offsets).ndcg for values in (reference["float32.scores"], scores)
    )
    loss = (before - after)[~np.isnan(before)]
    base = max(float(np.nanmean(before)), 1e-9)
    row: Row = {
        "mean_cosine": float(cosines.mean()),
        "min_cosine": float(cosines.min()),
        "rank_correlation": _order_of_matches(exact[:_COMPARED], vectors[:_COMPARED]),
        "ndcg": float(np.nanmean(after)),
        "ndcg_loss": float(loss.mean()) / base,
        "ndcg_loss_error": float(loss.std() / np.sqrt(len(loss))) / base,
    }
    row["fit"] = _is_fit(row, carried.about["limits"])
    for name in ("float32", "int8"):
        row |= _beside(scores, reference[f"{name}.scores"], offsets, f"cpu_{name}")
    return row


def _is_fit(row: Row, limits: dict[str, float]) -> bool:
    return bool(
        row["mean_cosine"] >= limits["min_mean_cosine"]
        and row["min_cosine"] >= limits["min_cosine"]
        and row["rank_correlation"] >= limits["min_rank_correlation"]
        and row["ndcg_loss"] - _ONE_SIDED_95 * row["ndcg_loss_error"] <= limits["max_ndcg_loss"]
    )


def _beside(scores: Floats, others: Floats, offsets: npt.NDArray[np.int64], name: str) -> Row:
    """Differences of scores, and of the slates' order."""
    correlations, overlaps = [], []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        ours, theirs = scores[start:end], others[start:end]
        correlations.append(_spearman(ours, theirs))
        depth = min(DEPTH, end - start)
        best = (set(np.argsort(-each, kind="stable")[:depth].tolist()) for each in (ours, theirs))
        overlaps.append(len(set.intersection(*best)) / depth)
    return {
        f"{name}_max_difference": float(np.abs(scores - others).max()),
        f"{name}_mean_difference": float(np.abs(scores - others).mean()),
        f"{name}_rank_correlation": float(np.mean(correlations)),
        f"{name}_min_rank_correlation": float(np.min(correlations)),
        f"{name}_top10_overlap": float(np.mean(overlaps)),
    }


def _order_of_matches(exact: Floats, close: Floats) -> float:
    """Spearman's correlation of the order in which all others match a text; mean over texts."""
    rows = zip(exact @ exact.T, close @ close.T, strict=True)
    return float(
        np.mean([_spearman(np.delete(a, i), np.delete(b, i)) for i, (a, b) in enumerate(rows)])
    )


def _spearman(a: Floats, b: Floats) -> float:
    if len(a) < 2:
        return 1.0
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])
