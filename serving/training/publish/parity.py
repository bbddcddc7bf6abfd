"""The parity gate: how far a published tower is from the float32 one, and how far it may be."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, IntArray
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.text_vectors import TextEncoder
from serving.training.publish.execution import CPU, FLOAT32, Execution
from serving.training.publish.texts import padded
from serving.training.quality import quality

_ONE_SIDED_95 = 1.645  # normal quantile


class ParityError(Exception):
    """The tower is too far from the float32 one to be published."""


@dataclass(frozen=True, slots=True)
class ParityLimits:
    """What a published tower may lose against float32."""

    min_mean_cosine: float = 0.99
    min_cosine: float = 0.97
    min_rank_correlation: float = 0.98
    max_ndcg_loss: float = 0.01  # relative, of NDCG@10


@dataclass(frozen=True, slots=True)
class Parity:
    """The published tower against the float32 one, on texts that were not used for calibration.

    *_cosine: of a text's two vectors.
    rank_correlation: Spearman's, of the order in which all other texts match one; mean over texts.
    ndcg, ndcg_float32: NDCG@10 of the whole ranker on held-out slates; None without slates.
    ndcg_loss_error: standard error of the paired relative loss. Rounding moves a few items over a
    tree's threshold, up as often as down: few slates tell a loss only to within that error.
    """

    n_texts: int
    mean_cosine: float
    min_cosine: float
    rank_correlation: float
    ndcg_float32: float | None = None
    ndcg: float | None = None
    ndcg_loss_error: float = 0.0

    def check(self, limits: ParityLimits) -> None:
        """Raise ParityError, naming every limit that is missed."""
        missed = [
            f"{name} {value:.4f} < {limit}"
            for name, value, limit in (
                ("mean_cosine", self.mean_cosine, limits.min_mean_cosine),
                ("min_cosine", self.min_cosine, limits.min_cosine),
                ("rank_correlation", self.rank_correlation, limits.min_rank_correlation),
            )
            if not value >= limit  # NaN misses too
        ]
        if self.ndcg_float32 is not None and self.ndcg is not None:
            loss = 1 - self.ndcg / max(self.ndcg_float32, 1e-9)
            if not loss - _ONE_SIDED_95 * self.ndcg_loss_error <= limits.max_ndcg_loss:
                missed.append(f"NDCG@10 loss {loss:.4f} > {limits.max_ndcg_loss}")
        if missed:
            raise ParityError("too far from float32: " + ", ".join(missed))


def tower_parity(
    float32: Path, published: Path, texts: Sequence[IntArray], execution: Execution
) -> Parity:
    """Vectors of the tower file `published` against those of `float32` on `texts`."""
    width = max(len(text) for text in texts)
    tokens = padded(texts, width)
    exact = TextEncoder(float32, 2, width, FLOAT32.providers, FLOAT32.batch).encode(tokens)
    close = TextEncoder(published, 2, width, execution.providers, execution.batch).encode(tokens)
    cosines = (exact * close).sum(axis=1)
    correlation = [
        np.corrcoef(_ranks(np.delete(a, i)), _ranks(np.delete(b, i)))[0, 1]
        for i, (a, b) in enumerate(zip(exact @ exact.T, close @ close.T, strict=True))
    ]
    return Parity(
        n_texts=len(texts),
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        rank_correlation=float(np.mean(correlation)),
    )


def with_ndcg(
    parity: Parity, folder: Path, slates: Path, scratch: Path, execution: Execution = CPU
) -> Parity:
    """`parity` with the whole ranker's NDCG@10 on held-out slates, with either tower.

    `folder` is the version's; `scratch` holds the float32 tower.
    """
    exact = scratch / "float32"
    # The version's own vectors would be taken for float32 ones.
    shutil.copytree(folder, exact, ignore=shutil.ignore_patterns("item_vectors.npz"))
    shutil.copyfile(scratch / "text_encoder.onnx", exact / "text_encoder.onnx")
    before, after = slate_ndcgs(exact, slates, FLOAT32), slate_ndcgs(folder, slates, execution)
    error = (before - after).std() / np.sqrt(len(before)) / max(before.mean(), 1e-9)
    return replace(
        parity,
        ndcg_float32=float(before.mean()),
        ndcg=float(after.mean()),
        ndcg_loss_error=float(error),
    )


def slate_ndcgs(folder: Path, slates: Path, execution: Execution = CPU) -> npt.NDArray[np.float64]:
    """NDCG@10 of a version folder on each slate with a wanted item, (n,).

    `slates` has the ranker's tensors by name, and LABELS (R,).
    """
    with np.load(slates) as stored:
        batch = {name: stored[name] for name in stored.files}
    ranker = VersionRanker(folder, providers=execution.providers, batch=execution.batch)
    scores, _ = ranker.score(batch)
    offsets = np.concatenate([[0], np.cumsum(batch["ROW_COUNTS"])]).astype(np.int64)
    ndcg = quality(scores, batch["LABELS"], offsets).ndcg
    return ndcg[~np.isnan(ndcg)]


def _ranks(values: FloatArray) -> npt.NDArray[np.intp]:
    return np.argsort(np.argsort(values))
