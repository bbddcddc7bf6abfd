"""Compares a classifier with a whole BERT that is tuned on the same texts.

    python -m serving.training.evaluate.classifier --data train.jsonl --held-out dev.jsonl \\
        --unlabelled more.jsonl --encoder .vitrine/shop/models/encoder --bert FOLDER

bert: a folder as transformers reads it; all of its weights are tuned, once for each seed. Both
learn from the same texts and are asked the same held-out ones. Prints a table, writes `--out`.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch.nn.functional import cross_entropy
from transformers import AutoModel, AutoTokenizer

from features.arrays import BoolArray, DoubleArray, LongArray
from features.telemetry.progress import StepProgress
from serving.training.data.judged_queries import Encoder
from serving.training.fit.labels.__main__ import encoder_of, train
from serving.training.fit.labels.texts import (
    LabelledTexts,
    TextsError,
    read_labelled,
    read_texts,
)

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the whole network is tuned: AdamW, the rate falls to nothing."""

    epochs: int = 8
    rate: float = 5e-5
    head_rate: float = 1e-3
    warm_up: float = 0.1
    prefix: str = ""
    max_tokens: int = 128


def tuned_logits(
    folder: Path,
    learnt: LabelledTexts,
    asked: list[str],
    tuning: Tuning,
    seed: int,
    progress: StepProgress,
) -> DoubleArray:
    """Logits (n, labels) of `asked` by a BERT that was tuned whole on `learnt`."""
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    body = AutoModel.from_pretrained(folder, local_files_only=True)
    head = torch.nn.Linear(body.config.hidden_size, len(learnt.labels))

    def logits(texts: list[str]) -> torch.Tensor:
        read = tokenizer(
            [tuning.prefix + text for text in texts], padding=True, truncation=True,
            max_length=tuning.max_tokens, return_tensors="pt",
        )  # fmt: skip
        states = body(**read).last_hidden_state
        mask = read["attention_mask"].unsqueeze(-1)
        found: torch.Tensor = head((states * mask).sum(dim=1) / mask.sum(dim=1))
        return found

    groups = [
        {"params": body.parameters(), "lr": tuning.rate},
        {"params": head.parameters(), "lr": tuning.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = tuning.epochs * -(-len(learnt.texts) // _BATCH)
    warm = max(1, round(tuning.warm_up * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    random = np.random.default_rng(seed)
    body.train()
    task = progress.add_task(f"seed {seed}", total=steps)
    for _ in range(tuning.epochs):
        order = random.permutation(len(learnt.texts))
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            truth = torch.tensor(learnt.codes[some])
            loss = cross_entropy(logits([learnt.texts[place] for place in some]), truth)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*body.parameters(), *head.parameters()], 1.0)
            optimizer.step()
            schedule.step()
            progress.advance(task)
    body.eval()
    with torch.no_grad():
        parts = [logits(asked[at : at + _BATCH]) for at in range(0, len(asked), _BATCH)]
    found: DoubleArray = torch.cat(parts).double().numpy()
    return found


def difference(ours: BoolArray, theirs: list[BoolArray], seed: int = 0) -> tuple[float, float]:
    """The interval (95 %) of our accuracy less their mean one, over draws of the texts."""
    random = np.random.default_rng(seed)
    each = ours.astype(float) - np.mean([right.astype(float) for right in theirs], axis=0)
    means = each[random.integers(0, len(each), (10_000, len(each)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    given = _arguments(arguments)
    torch.set_num_threads(given.threads)
    console = Console()
    try:
        learnt = read_labelled(given.data, given.text, given.label)
        asked = read_labelled(given.held_out, given.text, given.label, learnt.labels)
        others = read_texts(given.unlabelled, given.text) if given.unlabelled else []
        folder, profile = encoder_of(given.encoder)
    except TextsError as error:
        print(error, file=sys.stderr)
        return 2
    encoder = Encoder(folder, folder / "tokenizer.json")
    classifier, verdict = train(learnt, asked, others, encoder, profile)
    ours = classifier.probabilities(encoder.encode(asked.texts)).argmax(axis=1) == asked.codes
    tuning = Tuning(given.epochs, given.rate, prefix=given.prefix, max_tokens=given.tokens)
    with StepProgress(console) as progress:
        logits = [
            tuned_logits(given.bert, learnt, asked.texts, tuning, seed, progress)
            for seed in range(given.seeds)
        ]
    theirs = [each.argmax(axis=1) == asked.codes for each in logits]
    together = _accuracy(np.mean(logits, axis=0), asked.codes)
    low, high = difference(ours, theirs)
    mean = float(np.mean([right.mean() for right in theirs]))
    console.print(
        f"head on the encoder: {ours.mean():.3f}; whole BERT, mean of {given.seeds} seeds: "
        f"{mean:.3f} ({', '.join(f'{right.mean():.3f}' for right in theirs)}), its seeds together "
        f"{together:.3f}; difference {ours.mean() - mean:+.3f} ({low:+.3f} to {high:+.3f})",
        markup=False,
    )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "measured": verdict.measured.model_dump(), "ours": float(ours.mean()),
        "whole": [float(right.mean()) for right in theirs], "whole_together": together,
        "difference": [low, high], "tuning": asdict(tuning),
    }  # fmt: skip
    given.out.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _accuracy(logits: DoubleArray, codes: LongArray) -> float:
    return float((logits.argmax(axis=1) == codes).mean())


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--held-out", required=True, type=Path)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--text", default="text", help="name of the column")
    parser.add_argument("--label", default="label", help="name of the column")
    parser.add_argument("--encoder", required=True, type=Path)
    parser.add_argument("--bert", required=True, type=Path)
    parser.add_argument("--prefix", default="", help="before each text, as e5's 'query: '")
    parser.add_argument("--tokens", type=int, default=Tuning().max_tokens, help="of a text")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=Tuning().epochs)
    parser.add_argument("--rate", type=float, default=Tuning().rate)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/reports/classifier.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
