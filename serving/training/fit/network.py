"""The network: MiniLM with low-rank changes makes vectors, a small head turns features into scores.

Low-rank adaptation: Hu et al., 2022, "LoRA". The head takes behaviour and text features, NaN =
unknown. Its score is a linear term of the text matches plus an MLP over all columns and their
unknown-masks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel
from transformers.utils.logging import disable_progress_bar

from features.arrays import FloatArray
from serving.models.contract import Limits
from serving.models.runtime.scoring import (
    LIKENESS,
    NO_HABIT_DAYS,
    RECENCY_DECAY,
    TEXT_FEATURES,
    UNLIKENESS,
)

MAX_TOKENS = Limits().max_tokens
RANK = 8
ADAPTED = ("attention.self.query", "attention.self.key", "attention.self.value",
           "attention.output.dense")  # fmt: skip
CLIP = 5.0  # standard deviations, at which a scaled feature is cut


class LowRank(nn.Module):
    """A frozen linear layer plus `B @ A`; B starts at zero, so the start is the base network."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, states: Tensor) -> Tensor:
        """states (..., in) to (..., out)."""
        changed: Tensor = self.base(states) + states @ self.down.T @ self.up.T
        return changed


class TextTower(nn.Module):
    """Texts to vectors of length 1: mean over the tokens of MiniLM's last states."""

    def __init__(
        self, folder: Path, rank: int = RANK, max_tokens: int = Limits().max_tokens
    ) -> None:
        super().__init__()
        disable_progress_bar()  # the command line has its own
        self.bert = BertModel.from_pretrained(folder, attn_implementation="eager")
        self.bert.requires_grad_(False)
        self.adapters: dict[str, LowRank] = {}
        for index, layer in enumerate(self.bert.encoder.layer):
            for path in ADAPTED:
                owner = layer.get_submodule(path.rpartition(".")[0])
                name = path.rpartition(".")[2]
                adapter = LowRank(getattr(owner, name), rank)
                setattr(owner, name, adapter)
                self.adapters[f"encoder.layer.{index}.{path}"] = adapter
        self.max_tokens = max_tokens
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.no_padding()
        self.eval()  # no dropout: the changes are small

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with [CLS] and [SEP], at most `max_tokens`."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def forward(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors of texts given as token ids, (n, 384); padding is masked out."""
        length = max(len(ids) for ids in tokens)
        padded = torch.zeros(len(tokens), length, dtype=torch.long)
        mask = torch.zeros(len(tokens), length)
        for row, ids in enumerate(tokens):
            padded[row, : len(ids)] = torch.tensor(ids)
            mask[row, : len(ids)] = 1.0
        states = self.bert(padded, attention_mask=mask).last_hidden_state
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return nn.functional.normalize(mean, dim=1)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch: int = 64) -> FloatArray:
        """Vectors of `texts`, float32 (n, 384); each distinct text is encoded once."""
        distinct = sorted(set(texts), key=len)  # of one length together: little padding
        row_of = {text: row for row, text in enumerate(distinct)}
        tokens = self.tokens(distinct)
        parts = [self(tokens[at : at + batch]) for at in range(0, len(tokens), batch)]
        vectors: FloatArray = torch.cat(parts).numpy()
        return vectors[[row_of[text] for text in texts]]

    def delta(self) -> dict[str, npt.NDArray[np.float16]]:
        """What training changed: `<module>.lora_A` (rank, in) and `<module>.lora_B` (out, rank)."""
        out = {}
        for name, adapter in self.adapters.items():
            out[f"{name}.lora_A"] = adapter.down.detach().numpy().astype(np.float16)
            out[f"{name}.lora_B"] = adapter.up.detach().numpy().astype(np.float16)
        return out

    def load_delta(self, delta: dict[str, npt.NDArray[np.float16]]) -> None:
        """Take the changes that `delta` of another tower returned."""
        for name, adapter in self.adapters.items():
            adapter.down.data = torch.tensor(delta[f"{name}.lora_A"].astype(np.float32))
            adapter.up.data = torch.tensor(delta[f"{name}.lora_B"].astype(np.float32))


class Head(nn.Module):
    """Features (n, n_columns) with NaN to scores (n,); the last columns are TEXT_FEATURES."""

    mean: Tensor
    std: Tensor

    def __init__(self, n_columns: int, units: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_columns))
        self.register_buffer("std", torch.ones(n_columns))
        self.first = nn.Linear(2 * n_columns, units[0])
        self.second = nn.Linear(units[0], units[1])
        self.last = nn.Linear(units[1], 1)
        self.match = nn.Parameter(torch.full((len(TEXT_FEATURES),), 0.1))

    def measure(self, features: FloatArray) -> None:
        """Set mean and deviation of each column from its known values in `features`."""
        known = ~np.isnan(features)
        count = np.maximum(known.sum(0), 1)
        mean = np.where(known, features, 0).sum(0, dtype=np.float64) / count
        square = np.where(known, (features - mean) ** 2, 0).sum(0, dtype=np.float64) / count
        std = np.sqrt(square)
        self.mean.copy_(torch.tensor(mean))
        # A column that never varies says nothing; a later value in it must not move the score.
        self.std.copy_(torch.tensor(np.where(std > 1e-6, std, 1e6)))

    def forward(self, features: Tensor, dropout: float = 0.0) -> Tensor:
        """Scores (n,)."""
        unknown = torch.isnan(features)
        scaled = ((features - self.mean) / self.std).clamp(-CLIP, CLIP)
        scaled = torch.where(unknown, torch.zeros_like(scaled), scaled)
        match = scaled[:, -len(TEXT_FEATURES) :] @ self.match
        states = torch.cat([scaled, unknown.to(scaled.dtype)], 1)
        for layer in (self.first, self.second):
            states = nn.functional.dropout(torch.relu(layer(states)), dropout, self.training)
        score: Tensor = match + self.last(states).squeeze(1)
        return score


def text_match(
    items: Tensor,
    query: Tensor | None,
    user: Tensor,
    session: Tensor,
    bought: Tensor,
    purchases: Tensor,
) -> Tensor:
    """`scoring.text_features` with gradients: (n_items, len(TEXT_FEATURES)), NaN = nothing there.

    items (n, d), query (d,), user, session and bought (n_history, d), all of length 1;
    purchases (n_bought, 3).
    """
    nothing = items.new_full((len(items), 1), torch.nan)
    columns = [nothing if query is None else (items @ query)[:, None]]
    for history in (user, session):
        if len(history) == 0:
            columns.append(nothing.expand(-1, 3))
            continue
        best = (items @ history.T).topk(min(3, len(history)), dim=1).values
        weights = RECENCY_DECAY ** torch.arange(len(history), dtype=items.dtype)
        profile = nn.functional.normalize(weights @ history, dim=0)
        columns.append(torch.stack([best[:, 0], best.mean(1), items @ profile], 1))
    columns.append(_purchase_match(items, bought, purchases))
    return torch.cat(columns, 1)


def _purchase_match(items: Tensor, bought: Tensor, purchases: Tensor) -> Tensor:
    if len(bought) == 0:
        return items.new_full((len(items), 5), torch.nan)
    times, first_days, last_days = purchases.T
    cosines = items @ bought.T
    best = cosines.topk(min(3, len(bought)), dim=1).values
    like = ((cosines - 1) / LIKENESS).exp()
    share = (like @ (times / times.sum()) + 1e-4).log()
    rate = (like @ (times / (first_days + NO_HABIT_DAYS)) + 1e-4).log()
    lately = (last_days.log1p() + UNLIKENESS * (1 - cosines)).min(1).values
    return torch.stack([best[:, 0], best.mean(1), share, rate, lately], 1)
