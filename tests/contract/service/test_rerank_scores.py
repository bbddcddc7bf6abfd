"""A score of `/rerank` is a chance, on texts far from shops, at the real stack."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import requests

from loadtests.stack import RunningStack
from serving.local.state_folder import DEV_KEY

TEXTS = Path(__file__).parents[2] / "data" / "rerank" / "texts.jsonl"
MOST_ERROR = 0.1  # mean squared, of a chance; always saying the share of answers has .20
LEAST_RIGHT = 0.85  # on which side of .5


def test_half_means_half_on_texts_far_from_shops(stack: RunningStack) -> None:
    lines = [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]
    held_out = sorted(
        (line for line in lines if line["split"] == "test"), key=lambda line: str(line["query"])
    )
    chances: list[float] = []
    answers: list[float] = []
    for query, group in groupby(held_out, key=lambda line: str(line["query"])):
        pairs = list(group)
        scores = _scores(stack, query, [pair["text"] for pair in pairs])
        chances += scores
        answers += [float(pair["relevant"]) for pair in pairs]
    chance, answer = np.array(chances), np.array(answers)
    assert ((chance - answer) ** 2).mean() < MOST_ERROR
    assert ((chance > 0.5) == (answer > 0)).mean() > LEAST_RIGHT
    assert answer[chance < 0.2].mean() < 0.1
    assert answer[chance > 0.6].mean() > 0.8


def _scores(stack: RunningStack, query: str, texts: list[str]) -> list[float]:
    answer = requests.post(
        f"{stack.url}/rerank",
        json={"query": query, "texts": texts},
        headers={"authorization": f"Bearer {DEV_KEY}"},
        timeout=20,
    )
    assert answer.headers["x-vitrine-route"] == "model", answer.text
    entries: list[dict[str, Any]] = answer.json()
    return [float(entry["score"]) for entry in sorted(entries, key=lambda entry: entry["index"])]
