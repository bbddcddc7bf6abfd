"""Are answers found, and hand-overs right? Cross-validated on judged pairs of questions.

    python -m serving.training.evaluate.answers train.jsonl dev.jsonl --more others.jsonl

Pairs are JSON lines of two texts (question and answer, or sentence1 and sentence2) and a label: 1,
the same is asked, 0, it is not. Each end of a pair that asks the same is a question; the collection
is every text but the question itself, and the texts of --more. Writes answers.json and answers.png.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving.models.contract import EncoderProfile
from serving.training.evaluate.answers.plot import draw
from serving.training.fit.answers.cases import of_pairs, read_pairs
from serving.training.fit.answers.evaluation import (
    SHARES,
    Held,
    calibration_error,
    cross_validated,
    handed_over,
    precision_at,
)
from serving.training.fit.answers.gate import check_enough, judged, told
from serving.training.fit.answers.material import multilingual_encoder, seen_with
from serving.training.fit.kept.material import MaterialError


def main(arguments: list[str] | None = None) -> int:
    """The exit status; 2 when the pairs cannot be used."""
    given = _parser().parse_args(arguments)
    try:
        pairs = [pair for path in given.pairs for pair in read_pairs(path)]
        others = [pair for path in given.more for pair in read_pairs(path)]
        more = dict.fromkeys(pair[end] for pair in others for end in ("one", "other"))
        cases = of_pairs(pairs, list(more))
        check_enough(cases)
    except MaterialError as error:
        print(error, file=sys.stderr)
        return 2
    seen = seen_with(cases, multilingual_encoder(given.cache / "multilingual"), given.language)
    held = cross_validated(seen, EncoderProfile.MULTILINGUAL, given.seed)
    judgement = judged(held)
    rows = list(_hand_overs(held))
    print(f"a collection of {len(cases.answers)} texts\n{told(judgement)}\n")
    print("no answer   70 % answered, precision    own least: answered, precision   calibration")
    for row in rows:
        mean, low, high = row["precision"]
        print(
            f"{row['unanswerable']:>9.0%}   {mean:.3f} [{low:.3f}, {high:.3f}]"
            f"{row['own'][0]:>24.1%}, {row['own'][1]:.3f}{row['calibration_error']:>19.3f}"
        )
    given.out.mkdir(parents=True, exist_ok=True)
    report = {"texts": len(cases.answers), **judgement.document, "hand_over": rows}
    (given.out / "answers.json").write_text(json.dumps(report, indent=1) + "\n")
    draw(held, judgement, given.out / "answers.png")
    print(f"written: {given.out / 'answers.json'}, answers.png")
    return 0


def _hand_overs(held: Held) -> Sequence[dict[str, Any]]:
    return [
        {
            "unanswerable": share,
            "precision": precision_at(held, share),
            "own": handed_over(held, share),
            "calibration_error": calibration_error(held, share),
        }
        for share in SHARES
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make evaluate-answers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("pairs", type=Path, nargs="+", help="JSON lines, judged")
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="pairs: more answers")
    parser.add_argument("--language", help="of the words, ISO 639-1; default: as most texts are")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
