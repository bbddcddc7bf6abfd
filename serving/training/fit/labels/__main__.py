"""Trains a classifier on labelled texts; what passes the gate can be put into use.

    python -m serving.training.fit.labels --name reviews --data reviews.jsonl \\
        --encoder .vitrine/grocery/models/encoder/1 --url http://127.0.0.1:8000

data: JSON lines, CSV or Parquet of texts and labels. Held out is what `--held-out` has, or else a
fifth of the texts, the same one each time. Exit status 1: refused by the gate; 2: cannot be done.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import requests

from serving.models.contract import VECTOR_SIZE, EncoderProfile
from serving.shops.labels.classifier import Classifier, weights_text
from serving.training.data.judged_queries import Encoder
from serving.training.fit.labels.gate import Verdict, judge, measure
from serving.training.fit.labels.head import choose, fit, probabilities
from serving.training.fit.labels.texts import (
    LabelledTexts,
    TextsError,
    held_out,
    read_labelled,
    read_texts,
)

_TIMEOUT_S = 30.0


class ShopError(Exception):
    """The shop does not answer, or refuses."""


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    given = _arguments(arguments)
    try:
        learnt, asked = _texts(given)
        others = read_texts(given.unlabelled, given.text) if given.unlabelled else []
        folder, profile = encoder_of(given.encoder)
        in_use = _in_use(given) if given.url else None
        classifier, verdict = train(
            learnt, asked, others, Encoder(folder, folder / "tokenizer.json"), profile, in_use
        )
        given.out.mkdir(parents=True, exist_ok=True)
        path = given.out / f"{given.name}.json"
        path.write_text(classifier.model_dump_json(indent=1) + "\n")
        _tell(verdict, path)
        if verdict.refused:
            return 1
        if given.url:
            told = _asked("PUT", given, classifier.model_dump(mode="json"))
            print(f"in use: {given.name}, version {told['version']}")
    except (TextsError, ShopError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def train(
    learnt: LabelledTexts,
    asked: LabelledTexts,
    others: list[str],
    encoder: Encoder,
    profile: EncoderProfile,
    in_use: Classifier | None = None,
) -> tuple[Classifier, Verdict]:
    """A classifier of `learnt`, and how it does on `asked`. others: texts without labels."""
    vectors = encoder.encode(learnt.texts)
    without = encoder.encode(others) if others else np.zeros((0, VECTOR_SIZE), np.float32)
    chosen = choose(vectors, learnt.codes, without)
    weights = fit(vectors, learnt.codes, without, chosen.choice) / np.float32(chosen.temperature)
    held = encoder.encode(asked.texts)
    chances = probabilities(held, weights)
    measured = measure(chances, asked.codes)
    before = None
    if in_use is not None and in_use.labels == learnt.labels and in_use.profile is profile:
        before = in_use.probabilities(held).argmax(axis=1) == asked.codes
    classifier = Classifier(
        labels=learnt.labels,
        profile=profile,
        weights=weights_text(weights),
        measured=measured,
        learnt_from=len(learnt.texts),
        trained_at=datetime.now(UTC).replace(microsecond=0),
    )
    return classifier, judge(measured, chances.argmax(axis=1) == asked.codes, before)


def _texts(given: argparse.Namespace) -> tuple[LabelledTexts, LabelledTexts]:
    everything = read_labelled(given.data, given.text, given.label)
    if given.held_out:
        asked = read_labelled(given.held_out, given.text, given.label, everything.labels)
        known = set(asked.texts)
        chosen = np.array([text not in known for text in everything.texts], bool)
        return everything.part(chosen), asked
    chosen = held_out(everything.texts)
    if not chosen.any() or chosen.all():
        raise TextsError(f"{given.data}: too few texts to hold some out: give --held-out")
    return everything.part(~chosen), everything.part(chosen)


def encoder_of(path: Path) -> tuple[Path, EncoderProfile]:
    """A version's folder, or the newest one of the encoder's folder, and its profile."""
    versions = sorted((int(each.name), each) for each in path.glob("[0-9]*") if each.is_dir())
    folder = versions[-1][1] if versions else path
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        raise TextsError(f"{path}: no version of the encoder") from None
    return folder, EncoderProfile(manifest.get("profile", EncoderProfile.ENGLISH))


def _in_use(given: argparse.Namespace) -> Classifier | None:
    told = _asked("GET", given)
    if told is None:
        return None
    fields = {name: told[name] for name in Classifier.model_fields}
    return Classifier.model_validate(fields)


def _asked(method: str, given: argparse.Namespace, body: Any = None) -> Any:
    """What the shop answers; None for a 404. Raises ShopError."""
    url = f"{given.url.rstrip('/')}/v1/classifiers/{quote(given.name, safe='')}"
    headers = {"authorization": f"Bearer {given.key}"}
    try:
        answer = requests.request(method, url, json=body, headers=headers, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        raise ShopError(f"{given.url} does not answer: {type(error).__name__}") from None
    if answer.status_code == 404 and method == "GET":
        return None
    if not answer.ok:
        raise ShopError(f"not put: {answer.json().get('detail', answer.status_code)}")
    return answer.json()


def _tell(verdict: Verdict, path: Path) -> None:
    told = verdict.measured
    print(
        f"{told.texts} texts held out: accuracy {told.accuracy:.3f} ({told.low:.3f} to "
        f"{told.high:.3f}), always the most frequent label {told.majority:.3f}, "
        f"calibration error {told.calibration_error:.3f}"
    )
    if (to := verdict.in_use) is not None:
        print(f"to the version in use: {to.mean:+.3f} ({to.low:+.3f} to {to.high:+.3f})")
    for why in verdict.refused:
        print(f"refused: {why}", file=sys.stderr)
    print(f"written: {path}")


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", required=True, help="of the classifier")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--held-out", type=Path, help="labelled texts to be judged by")
    parser.add_argument("--unlabelled", type=Path, help="texts without labels, to learn from too")
    parser.add_argument("--text", default="text", help="name of the column")
    parser.add_argument("--label", default="label", help="name of the column")
    parser.add_argument("--encoder", type=Path, required=True, help="its version that is in use")
    parser.add_argument("--out", type=Path, default=Path("build/classifiers"))
    parser.add_argument("--url", help="the shop that takes it; none: it is written only")
    parser.add_argument("--key", default="dev", help="with the scope admin")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
