"""Trains the model of a shop's answers, and puts it into use when it is better than none.

    python -m serving.training.fit.answers --state .vitrine/grocery
    python -m serving.training.fit.answers --state .vitrine/grocery --pairs pairs.jsonl
    python -m serving.training.fit.answers --state .vitrine/grocery --roll-back

It learns from what became of answers (the events helpful, not_helpful and handed_over of log and
archive), and from pairs: JSON lines of question, answer and label (1: the same is asked, 0: it is
not). The gate wants recall@1, or the precision of what is answered, on questions that were held
out, above that of the encoder's cosine by the lower end of a 95 % interval. A running stack takes
a version over within a second.
"""

import argparse
import sys
from pathlib import Path

from features.controls.store import Documents
from features.events.event import OF_ANSWERS
from features.store.kept import open_kept
from features.store.settings import StoreSettings
from serving.search.answers.model import UNTRAINED
from serving.shops.answers.kept import KeptAnswers
from serving.training.data.judged_queries import Encoder
from serving.training.fit.answers.cases import Cases, of_feedback, of_pairs, read_pairs
from serving.training.fit.answers.evaluation import cross_validated
from serving.training.fit.answers.fitting import train
from serving.training.fit.answers.gate import check_enough, judged, told
from serving.training.fit.answers.material import seen_with
from serving.training.fit.kept.command import Learnt, add_options, encoder_chosen, run


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 the gate is shut or a version is unknown, 2 cannot be read."""
    given = _parser().parse_args(arguments)
    return run(
        given,
        lambda documents: KeptAnswers(documents).models,
        lambda store, documents: _learn(given, store, documents),
    )


def _learn(given: argparse.Namespace, store: StoreSettings, documents: Documents) -> Learnt:
    cases = cases_of(given.pairs, store, KeptAnswers(documents))
    version, profile = encoder_chosen(given)
    check_enough(cases)
    seen = seen_with(cases, Encoder(version, version / "tokenizer.json"), given.language)
    judgement = judged(cross_validated(seen, profile, given.seed))
    return Learnt(
        told(judgement),
        judgement.problem,
        judgement.document,
        lambda: {**train(seen).document, "profile": profile.value},
    )


def cases_of(pairs: list[Path], store: StoreSettings, kept: KeptAnswers) -> Cases:
    """Of feedback on the answers there are, and of pairs."""
    with open_kept(store) as log:
        feedback = [event for event in log.events() if event.type in OF_ANSWERS]
    cases = of_feedback(feedback, [*kept.all().values()])
    read = [pair for path in pairs for pair in read_pairs(path)]
    return cases.joined(of_pairs(read)) if read else cases


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.training.fit.answers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_options(parser, UNTRAINED)
    parser.add_argument("--pairs", type=Path, nargs="+", default=[], help="JSON lines")
    parser.add_argument("--language", help="of the words, ISO 639-1; default: as most texts are")
    parser.add_argument("--seed", type=int, default=7)
    return parser


if __name__ == "__main__":
    sys.exit(main())
