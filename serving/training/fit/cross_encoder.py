"""The plain cross-encoder, which reads the shopper's context and an item together as one text.

Each pair goes through all layers. The model is MiniLM with a low-rank delta (network.py). Its score
is added to the text match of the cached vectors, so it need only learn what that match misses. It
is scored in int8, as it is served. What it adds to the ranker is measured by
evaluate/cross_comparison.py.

`write_cross_encoder` writes what publishing takes:

encoder_delta.safetensors  as in a ranker's bundle (bundle.py)
scorer.npy                 float32 (384,): a pair's score is its product with the pair's unit vector
pairs.npy                  int16 (n, 64): pairs that calibrate int8 and are compared with float32
training.json              data, options, the base weights' sha256
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from features.arrays import FloatArray, RowArray
from features.behavior.matrix import FEATURE_NAMES
from serving.models.runtime.pairs import PAIRS, SCORER, PairScorer
from serving.training.data.slates import Slates, sampled_candidates, with_gain
from serving.training.fit.bundle import write_tower
from serving.training.fit.head import listwise_loss
from serving.training.fit.network import TextTower
from serving.training.fit.tuning import TEXT_ALONE, TEXT_TEMPERATURE, warmed_up
from serving.training.publish.base_model import base_folder, base_weights, merge_delta
from serving.training.publish.encoder_onnx import build_int8, calibrate
from serving.training.publish.texts import padded

Tokens = list[list[int]]
MAX_TOKENS = 64
MIN_CONTEXT = 16  # tokens that a long item leaves to the context
N_RECENT = 3  # titles in the context, newest first: more would push out the item's own words
_SEPARATOR = 102  # [SEP]
_N_CALIBRATION = 256
N_KEPT = 512  # pairs of a bundle: half of them calibrate


@dataclass(frozen=True, slots=True)
class CrossOptions:
    """A step reads slates * (wanted + unwanted) pairs."""

    steps: int = 150
    slates: int = 8
    wanted: int = 3
    unwanted: int = 5
    learning_rate: float = 4e-4


class CrossEncoder(nn.Module):
    """Pairs to scores: a linear layer, zero at first, over the mean state of the whole pair."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = TextTower(base_folder(), max_tokens=MAX_TOKENS)
        self.out = nn.Linear(384, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tokens) -> Tensor:
        """Scores (n,) of pairs given as token ids."""
        # The parts of a unit vector are small; the temperature makes logits of them.
        score: Tensor = self.out(self.tower(tokens)).squeeze(1) / TEXT_TEMPERATURE
        return score

    def scorer(self) -> FloatArray:
        """Weights of a pair's unit vector, (384,). The bias is left out: it changes no order."""
        weights: FloatArray = self.out.weight.detach().numpy()[0] / np.float32(TEXT_TEMPERATURE)
        return weights


class Pairs:
    """`[CLS] context [SEP] item [SEP]` of the candidates of `slates`; `texts`: of items, by row."""

    def __init__(self, tower: TextTower, texts: Sequence[str], slates: Slates) -> None:
        self._items = tower.tokens(list(texts))
        self._texts = texts
        self._slates = slates
        contexts = [self._context(index) for index in range(len(slates))]
        self._contexts = tower.tokens(contexts)

    def of(self, rows: RowArray) -> Tokens:
        """Token ids of the pairs of `rows` of the slates' candidates."""
        slate_of = self._slates.slate_of[rows].tolist()
        out = []
        for index, item_row in zip(slate_of, self._slates.item_rows[rows].tolist(), strict=True):
            context, item = self._contexts[index][:-1], self._items[item_row][1:-1]
            context = context[: max(MAX_TOKENS - 2 - len(item), MIN_CONTEXT)]
            item = item[: MAX_TOKENS - 2 - len(context)]
            out.append([*context, _SEPARATOR, *item, _SEPARATOR])
        return out

    def _context(self, index: int) -> str:
        slates = self._slates
        seen = [*slates.session_history[index].tolist(), *slates.user_history[index].tolist()]
        recent = list(dict.fromkeys(row for row in seen if row >= 0))[:N_RECENT]
        words = [slates.queries[index], *(self._texts[row] for row in recent)]
        return ", ".join(word for word in words if word)


def tune_cross_encoder(
    model: CrossEncoder,
    pairs: Pairs,
    slates: Slates,
    known: FloatArray,
    options: CrossOptions,
    seed: int,
    progress: Progress | None = None,
) -> None:
    """Train in place on the slates with a gain; `known` (R,): the logits that its score adds to."""
    useful = with_gain(slates.labels, slates.offsets)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.learning_rate, weight_decay=0.01)
    schedule = warmed_up(optimizer, options.steps)
    task = progress.add_task("cross-encoder", total=options.steps) if progress else None
    for step in range(options.steps):
        rng = np.random.default_rng((seed, step))
        batch = rng.choice(useful, min(options.slates, len(useful)), replace=False)
        chosen = [
            sampled_candidates(slates, index, rng, options.wanted, options.unwanted)
            for index in batch.tolist()
        ]
        rows = np.concatenate(chosen)
        sizes = torch.tensor([len(candidates) for candidates in chosen])
        scores = torch.from_numpy(known[rows]) + model(pairs.of(rows))
        gains = torch.from_numpy(slates.labels[rows] * slates.weights[rows])
        slate_of = torch.repeat_interleave(torch.arange(len(chosen)), sizes)
        loss = listwise_loss(scores, gains, slate_of, len(chosen))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if progress is not None and task is not None:
            progress.update(task, advance=1, description=f"cross-encoder, loss {loss.item():.3f}")


def int8_scores(
    model: CrossEncoder, tokens: Tokens, threads: int, progress: Progress | None = None
) -> FloatArray:
    """Scores (n,) of pairs by the int8 tower, calibrated on some of these pairs."""
    weights = merge_delta(base_weights(base_folder()), model.tower.delta())
    chosen = np.random.default_rng(0).permutation(len(tokens))[:_N_CALIBRATION].tolist()
    ranges = calibrate(weights, [np.array(tokens[index], np.int32) for index in chosen])
    out = np.zeros(len(tokens), np.float32)
    task = progress.add_task("pairs", total=len(tokens)) if progress else None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "text_encoder.onnx").write_bytes(build_int8(weights, ranges))
        np.save(Path(folder) / SCORER, model.scorer())
        scorer = PairScorer(Path(folder), MAX_TOKENS, threads=threads)
        for start in range(0, len(tokens), 1_000):
            part = padded(tokens[start : start + 1_000], MAX_TOKENS)
            out[start : start + len(part)] = scorer.scores(part)
            if progress is not None and task is not None:
                progress.advance(task, len(part))
    return out


def write_cross_encoder(
    folder: Path, model: CrossEncoder, pairs: Tokens, about: Mapping[str, Any]
) -> None:
    """Write a bundle with the token ids of `pairs`, of which N_KEPT are enough.

    `about` is added to training.json.
    """
    write_tower(folder, model.tower, about)
    np.save(folder / SCORER, model.scorer())
    np.save(folder / PAIRS, padded(pairs, MAX_TOKENS))


def cross_scores(
    model: CrossEncoder,
    texts: Sequence[str],
    slates: Slates,
    threads: int,
    progress: Progress | None = None,
) -> FloatArray:
    """int8 scores (R,) of the candidates of `slates`."""
    pairs = Pairs(model.tower, texts, slates)
    return int8_scores(model, pairs.of(np.arange(len(slates.item_rows))), threads, progress)


def text_logits(features: FloatArray) -> FloatArray:
    """The logits (R,) of the text matches TEXT_ALONE in features (R, F + T), as in tuning."""
    matches = np.nan_to_num(features[:, len(FEATURE_NAMES) :])
    total: FloatArray = matches[:, TEXT_ALONE].sum(axis=1) / np.float32(TEXT_TEMPERATURE)
    return total
