"""The plain cross-encoder, trained on the same data: what ours must not fall behind.

    python -m serving.model.cross_encoder --data grocery --bundle serving/model/demo_bundle

It reads the shopper's context and an item as one text, through every layer, for every candidate.
MiniLM with a low-rank delta (network.py); what it learns is added to the text match of the cached
vectors, so that it need only learn what that match misses. It is scored in int8, as it would be
served. Then the same head and forest are fitted with its score as one more column and without, on
slates that it was not trained on, and compared on the test period. Prints a table and writes
build/reports/evaluate-cross-encoder-<data set>.json.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from features.datasets.format import Dataset
from features.datasets.registry import load
from features.matrix import FEATURE_NAMES
from features.replay import item_table
from serving.model.bundle import Bundle, columns
from serving.model.encoder_onnx import base_weights, build_int8, calibrate, merge_delta
from serving.model.fitting import listwise_loss
from serving.model.network import TextTower, base_folder
from serving.model.plans import make_plan, task_of
from serving.model.report import Report, add_rows, show, write
from serving.model.rows import Slates, build_slates
from serving.model.test_sets import FIXED_CASES, fixed_test_sets, purchase_test_sets
from serving.model.training import TrainingOptions, fit, text_vectors
from serving.model.tuning import TEXT_TEMPERATURE
from serving.model_repository.text_vectors import TextEncoder

FloatArray = npt.NDArray[np.float32]
Tokens = list[list[int]]
MAX_TOKENS = 64
N_RECENT = 3  # titles in the context, newest first: more would push the item's own words out
WITHOUT, WITH = "ours", "ours with the cross-encoder inside"
_SEPARATOR = 102  # [SEP]
_N_CALIBRATION = 256


@dataclass(frozen=True, slots=True)
class CrossOptions:
    """A step reads slates * (wanted + unwanted) pairs."""

    steps: int = 150
    slates: int = 8
    wanted: int = 3
    unwanted: int = 5
    learning_rate: float = 4e-4
    n_tuned: int = 3_000  # slates that the cross-encoder may be trained on
    n_fitted: int = 700  # slates, later ones, that head and forest are fitted on
    n_rows: int = 40  # of a slate that is fitted on, at most
    n_cases: int = 250  # of each test set


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
        # Of length 1, the vector's parts are small: as logits they are read with the temperature.
        score: Tensor = self.out(self.tower(tokens)).squeeze(1) / TEXT_TEMPERATURE
        return score


class Pairs:
    """`[CLS] context [SEP] item [SEP]` of the candidates of `slates`; `texts`: of items, by row."""

    def __init__(self, tower: TextTower, texts: Sequence[str], slates: Slates) -> None:
        self._items = tower.tokens(list(texts))
        self._texts = texts
        self._slates = slates
        contexts = [self._context(index) for index in range(len(slates))]
        self._contexts = tower.tokens(contexts)

    def of(self, rows: npt.NDArray[np.int64]) -> Tokens:
        """Token ids of the pairs of `rows` of the slates' candidates."""
        slate_of = self._slates.slate_of[rows].tolist()
        out = []
        for index, item_row in zip(slate_of, self._slates.item_rows[rows].tolist(), strict=True):
            item = self._items[item_row][1:]
            context = self._contexts[index][:-1][: MAX_TOKENS - 1 - len(item)]
            out.append([*context, _SEPARATOR, *item])
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
    """Train in place on the slates with a gain; `known` (R,): the logits that it adds to."""
    useful = np.flatnonzero(np.add.reduceat(slates.labels, slates.offsets[:-1]) > 0)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.learning_rate, weight_decay=0.01)
    warm_up = max(options.steps // 10, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, max(1.0 - step / options.steps, 0.02))
    )
    task = progress.add_task("cross-encoder", total=options.steps) if progress else None
    for step in range(options.steps):
        rng = np.random.default_rng((seed, step))
        batch = rng.choice(useful, min(options.slates, len(useful)), replace=False)
        chosen = [_some_rows(slates, index, rng, options) for index in batch.tolist()]
        rows = np.concatenate(chosen)
        sizes = torch.tensor([len(each) for each in chosen])
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
            said = f"cross-encoder, loss {loss.item():.3f}"
            progress.update(task, advance=1, description=said)


def int8_scores(
    model: CrossEncoder, tokens: Tokens, threads: int, progress: Progress | None = None
) -> FloatArray:
    """Scores (n,) of pairs by the int8 tower, calibrated on some of these pairs."""
    weights = merge_delta(base_weights(base_folder()), model.tower.delta())
    chosen = np.random.default_rng(0).permutation(len(tokens))[:_N_CALIBRATION].tolist()
    ranges = calibrate(weights, [np.array(tokens[index], np.int32) for index in chosen])
    out = np.zeros(len(tokens), np.float32)
    head = model.out.weight.detach().numpy()[0]
    task = progress.add_task("pairs", total=len(tokens)) if progress else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cross_encoder.onnx"
        path.write_bytes(build_int8(weights, ranges))
        encoder = TextEncoder(path, threads, MAX_TOKENS)
        for start in range(0, len(tokens), 1_000):
            part = tokens[start : start + 1_000]
            padded = np.zeros((len(part), MAX_TOKENS), np.int16)
            for row, ids in zip(padded, part, strict=True):
                row[: len(ids)] = ids
            out[start : start + len(part)] = encoder.encode(padded) @ head
            if progress is not None and task is not None:
                progress.advance(task, len(part))
    return out / np.float32(TEXT_TEMPERATURE)


def compare(
    dataset: Dataset,
    source: Path,
    bundle: Bundle,
    options: CrossOptions,
    threads: int,
    progress: Progress | None = None,
) -> Report:
    """The same system with and without a cross-encoder, on the test sets of `evaluation`."""
    given = TrainingOptions()
    seed = given.seed
    items = item_table(dataset)
    plan = make_plan(dataset, items, seed, options.n_tuned + options.n_fitted)
    if (source / FIXED_CASES).is_file():
        sets = fixed_test_sets(source, dataset, items, plan)[2:]  # features as of the cut
        chosen = np.random.default_rng(seed).permutation(len(sets[0].cases))[: options.n_cases]
        sets = [replace(s, cases=[s.cases[i] for i in np.sort(chosen).tolist()]) for s in sets]
    else:
        sets = purchase_test_sets(dataset, items, plan, seed, options.n_cases, 1)[:2]
    cases = [*plan.train, *(case for each in sets for case in each.cases)]
    slates = build_slates(dataset, items, cases, seed, progress, plan.refresh_s)
    texts = [item.ranker_text for item in items.items]
    vectors = text_vectors(bundle.tower(), texts, slates)
    n_train = len(plan.train)
    order = np.random.default_rng(seed).permutation(n_train)
    tuned = slates.take(np.sort(order[: -options.n_fitted]))
    fitted = thinned(slates.take(np.sort(order[-options.n_fitted :])), options.n_rows, seed)
    torch.manual_seed(seed)
    model = CrossEncoder()
    pairs = Pairs(model.tower, texts, tuned)
    known = text_logits(columns(tuned, *vectors))
    tune_cross_encoder(model, pairs, tuned, known, options, seed, progress)
    features = columns(fitted, *vectors)
    crossed = _crossed(model, texts, fitted, threads, progress)
    both = {
        WITHOUT: fit(fitted, features, given),
        WITH: fit(fitted, with_column(features, crossed), given),
    }
    report = Report(dataset.info.name, WITH, {})
    start = n_train
    for each in sets:
        part = slates.take(np.arange(start, start + len(each.cases)))
        start += len(each.cases)
        plain = columns(part, *vectors)
        crossed = _crossed(model, texts, part, threads, progress)
        scores = {"cross-encoder and text match alone": crossed + text_logits(plain)}
        for name, columns_of in ((WITHOUT, plain), (WITH, with_column(plain, crossed))):
            parts = both[name].parts(columns_of).values()
            scores[name] = np.sum([p / (p.std() + 1e-9) for p in parts], axis=0, dtype=np.float32)
        add_rows(report, each.name, part, scores, {"all": np.ones(len(part), bool)})
    return report


def thinned(slates: Slates, n_rows: int, seed: int) -> Slates:
    """`slates` with at most `n_rows` candidates each, the wanted ones among them."""
    rng = np.random.default_rng(seed)
    keep = []
    for start, end in zip(slates.offsets[:-1].tolist(), slates.offsets[1:].tolist(), strict=True):
        rows = rng.permutation(np.arange(start, end))
        first = np.argsort(-(slates.labels[rows] > 0), kind="stable")
        keep.append(np.sort(rows[first][:n_rows]))
    rows = np.concatenate(keep)
    return replace(
        slates,
        offsets=np.concatenate([[0], np.cumsum([len(each) for each in keep])]).astype(np.int64),
        item_rows=slates.item_rows[rows],
        labels=slates.labels[rows],
        weights=slates.weights[rows],
        features=slates.features[rows],
    )


def text_logits(features: FloatArray) -> FloatArray:
    """What the text match says alone, (R,): of query, recent items and session, as in tuning."""
    matches = np.nan_to_num(features[:, len(FEATURE_NAMES) :])
    total: FloatArray = (matches[:, 0] + matches[:, 2] + matches[:, 5]) / np.float32(
        TEXT_TEMPERATURE
    )
    return total


def with_column(features: FloatArray, scores: FloatArray) -> FloatArray:
    """`features` (R, F + T) with one more column before the T text matches."""
    n = len(FEATURE_NAMES)
    return np.concatenate([features[:, :n], scores[:, None], features[:, n:]], axis=1)


def _crossed(
    model: CrossEncoder, texts: list[str], slates: Slates, threads: int, progress: Progress | None
) -> FloatArray:
    pairs = Pairs(model.tower, texts, slates)
    return int8_scores(model, pairs.of(np.arange(len(slates.item_rows))), threads, progress)


def _some_rows(
    slates: Slates, index: int, rng: np.random.Generator, options: CrossOptions
) -> npt.NDArray[np.int64]:
    rows = np.arange(slates.offsets[index], slates.offsets[index + 1])
    gain = slates.labels[rows] > 0
    wanted = rng.permutation(rows[gain])[: options.wanted]
    return np.concatenate([wanted, rng.permutation(rows[~gain])[: options.unwanted]])


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="grocery, or a folder of purchases")
    parser.add_argument("--bundle", required=True, type=Path, help="whose tuned tower is used")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=CrossOptions().steps)
    parser.add_argument("--cases", type=int, default=CrossOptions().n_cases)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    dataset = load(given.data, given.cache, given.items)
    if task_of(dataset) not in ("next_basket", "discovery"):
        print("only purchase logs are compared here", file=sys.stderr)
        return 2
    options = CrossOptions(steps=given.steps, n_cases=given.cases)
    console = Console()
    with Progress(console=console) as progress:
        report = compare(
            dataset, Path(given.data), Bundle(given.bundle), options, given.threads, progress
        )
    show(report, console)
    report.dataset = f"cross-encoder-{report.dataset}"
    write(report, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
