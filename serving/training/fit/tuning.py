"""Fine-tunes the tower's low-rank changes and the head together, on slates."""

from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from features.arrays import RowArray
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.data.slates import Slates, sampled_candidates, with_gain
from serving.training.fit.head import listwise_loss
from serving.training.fit.network import Head, TextTower, text_match

TEXT_TEMPERATURE = 0.05
# The matches that are summed up without a model: the query's, and the best of user and session.
TEXT_ALONE = [
    TEXT_FEATURES.index(name) for name in ("text_query", "text_user_top3", "text_session_top3")
]
SAVE_EVERY = 20  # steps


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """A step encodes about slates * (candidates + history) texts."""

    steps: int = 100
    slates: int = 10
    wanted: int = 4
    unwanted: int = 12
    history: int = 6
    learning_rate: float = 4e-4
    head_learning_rate: float = 1e-3
    text_share: float = 0.5  # of the loss: of the text matches alone, which rank a new item


def tune(
    tower: TextTower,
    head: Head,
    slates: Slates,
    texts: list[str],
    seed: int,
    options: TuningOptions,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Train both in place on the slates that have a gain; returns the loss of each step.

    `texts`: item text by row. An interrupted run resumes from `checkpoint`. It ends with the same
    weights as an uninterrupted one, because each step draws from a seed of its own.
    """
    useful = with_gain(slates.labels, slates.offsets)
    changes = [weight for weight in tower.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(changes, lr=options.learning_rate, weight_decay=0.01)
    optimizer.add_param_group({"params": list(head.parameters()), "lr": options.head_learning_rate})
    schedule = warmed_up(optimizer, options.steps)
    parts = {"tower": tower, "head": head, "optimizer": optimizer, "schedule": schedule}
    losses = _resume(checkpoint, parts, seed, options)
    task = None
    if progress is not None:
        task = progress.add_task("fine-tune", total=options.steps, completed=len(losses))
    for step in range(len(losses), options.steps):
        rng = np.random.default_rng((seed, step))
        batch = rng.choice(useful, min(options.slates, len(useful)), replace=False)
        loss = batch_loss(tower, head, slates, texts, batch, rng, options)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*changes, *head.parameters()], 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if progress is not None and task is not None:
            progress.update(task, advance=1, description=f"fine-tune, loss {loss.item():.3f}")
        if checkpoint is not None and (step + 1) % SAVE_EVERY == 0:
            _save(checkpoint, parts, losses, seed, options)
    return losses


def warmed_up(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Learning rates that rise over the first tenth of `steps` and then fall in a line to 2 %."""
    n_rising = max(steps // 10, 1)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / n_rising, max(1.0 - step / steps, 0.02))
    )


def batch_loss(
    tower: TextTower,
    head: Head,
    slates: Slates,
    texts: list[str],
    batch: RowArray,
    rng: np.random.Generator,
    options: TuningOptions,
) -> Tensor:
    """The listwise loss of the whole score, averaged with that of the text matches alone."""
    chosen = [
        sampled_candidates(slates, index, rng, options.wanted, options.unwanted)
        for index in batch.tolist()
    ]
    histories = [
        tuple(
            rows[: options.history][rows[: options.history] >= 0].tolist()
            for rows in (slates.user_history[i], slates.session_history[i], slates.bought[i])
        )
        for i in batch.tolist()
    ]
    place_of: dict[str, int] = {}  # text -> row of `vectors`
    for rows, history in zip(chosen, histories, strict=True):
        for row in (*slates.item_rows[rows].tolist(), *chain.from_iterable(history)):
            place_of.setdefault(texts[row], len(place_of))
    queries = [slates.queries[i] for i in batch.tolist()]
    for query in queries:
        if query:
            place_of.setdefault(query, len(place_of))
    vectors = _encode(tower, list(place_of))
    features, sizes = [], []
    for index, rows, history, query in zip(batch.tolist(), chosen, histories, queries, strict=True):
        user, session, bought = (
            vectors[[place_of[texts[row]] for row in part]] for part in history
        )
        text = text_match(
            vectors[[place_of[texts[row]] for row in slates.item_rows[rows].tolist()]],
            vectors[place_of[query]] if query else None,
            user,
            session,
            bought,
            torch.from_numpy(slates.purchases[index][: len(bought)]),
        )
        features.append(torch.cat([torch.from_numpy(slates.features[rows]), text], 1))
        sizes.append(len(rows))
    stacked = torch.cat(features)
    all_rows = np.concatenate(chosen)
    gains = torch.from_numpy(slates.labels[all_rows] * slates.weights[all_rows])
    slate_of = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    whole = listwise_loss(head(stacked), gains, slate_of, len(sizes))
    of_text = listwise_loss(_text_alone(stacked), gains, slate_of, len(sizes))
    return (1 - options.text_share) * whole + options.text_share * of_text


def _text_alone(features: Tensor) -> Tensor:
    """The sum of the matches TEXT_ALONE, as logits."""
    matches = torch.nan_to_num(features[:, -len(TEXT_FEATURES) :])
    return matches[:, TEXT_ALONE].sum(dim=1) / TEXT_TEMPERATURE


def _encode(tower: TextTower, texts: list[str]) -> Tensor:
    """Vectors of distinct `texts`, (n, d), in batches of similar length: padding costs time."""
    tokens = tower.tokens(texts)
    order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
    parts = [tower([tokens[i] for i in order[at : at + 64]]) for at in range(0, len(order), 64)]
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def _save(
    path: Path, parts: dict[str, Any], losses: list[float], seed: int, options: TuningOptions
) -> None:
    states = {name: part.state_dict() for name, part in parts.items() if name != "tower"}
    trained = {name for name, weight in parts["tower"].named_parameters() if weight.requires_grad}
    states["tower"] = {k: v for k, v in parts["tower"].state_dict().items() if k in trained}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save({**states, "losses": losses, "run": [seed, asdict(options)]}, unfinished)
    unfinished.rename(path)


def _resume(
    path: Path | None, parts: dict[str, Any], seed: int, options: TuningOptions
) -> list[float]:
    """Load a checkpoint of the same run, if there is one; returns the losses so far."""
    if path is None or not path.is_file():
        return []
    stored = torch.load(path, weights_only=True)
    if stored["run"] != [seed, asdict(options)]:
        return []
    for name, part in parts.items():
        if name == "tower":
            part.load_state_dict(stored[name], strict=False)
        else:
            part.load_state_dict(stored[name])
    losses: list[float] = stored["losses"]
    return losses
