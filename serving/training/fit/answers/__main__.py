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
import json
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from features.events.event import OF_ANSWERS
from features.full import StoreFullError
from features.store.backends import open_controls
from features.store.chosen import add_store, store_of
from features.store.kept import open_kept
from features.store.settings import StoreSettings
from serving.models.contract import EncoderProfile
from serving.models.runtime.sealed import MANIFEST
from serving.shops.answers.kept import KeptAnswers, UnknownVersionError
from serving.training.data.judged_queries import Encoder
from serving.training.fit.answers.cases import Cases, CasesError, of_feedback, of_pairs, read_pairs
from serving.training.fit.answers.evaluation import cross_validated
from serving.training.fit.answers.fitting import train
from serving.training.fit.answers.gate import check_enough, judged, told
from serving.training.fit.answers.material import seen_with
from serving.training.publish.repository import version_in_use


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 the gate is shut or a version is unknown, 2 cannot be read."""
    given = _parser().parse_args(arguments)
    try:
        store = store_of(given)
        with closing(open_controls(store)) as controls:
            kept = KeptAnswers(controls)
            if given.versions:
                return _list(kept)
            if given.use:
                kept.use(given.use)
            elif given.roll_back:
                kept.roll_back()
            if given.use or given.roll_back:
                version = kept.in_use()
                print(f"version {version} is in use")
                return 0
            return _train(given, store, kept)
    except (UnknownVersionError, StoreFullError) as error:
        print(f"not done: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, CasesError) as error:
        print(error, file=sys.stderr)
        return 2


def _train(given: argparse.Namespace, store: StoreSettings, kept: KeptAnswers) -> int:
    cases = cases_of(given.pairs, store, kept)
    models = given.repository or (given.state and given.state / "models")
    version = given.encoder or _encoder_in_use(models)
    profile = EncoderProfile(json.loads((version / MANIFEST).read_text())["profile"])
    check_enough(cases)
    encoder = Encoder(version, version / "tokenizer.json")
    started_s = time.perf_counter()
    seen = seen_with(cases, encoder, given.language)
    judgement = judged(cross_validated(seen, profile, given.seed))
    print(told(judgement))
    if judgement.problem is not None:
        print(f"not published: {judgement.problem}", file=sys.stderr)
        return 1
    model = train(seen)
    print(f"trained in {time.perf_counter() - started_s:.0f} s")
    if given.dry_run:
        return 0
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"at": at, "judgement": judgement.document}
    number = kept.publish({**model.document, "profile": profile.value, "trained": about})
    print(f"published: version {number} is in use")
    return 0


def cases_of(pairs: list[Path], store: StoreSettings, kept: KeptAnswers) -> Cases:
    """Of feedback on the answers there are, and of pairs."""
    with open_kept(store) as log:
        feedback = [event for event in log.events() if event.type in OF_ANSWERS]
    cases = of_feedback(feedback, [*kept.all().values()])
    read = [pair for path in pairs for pair in read_pairs(path)]
    return cases.joined(of_pairs(read)) if read else cases


def _encoder_in_use(repository: Path | None) -> Path:
    """Raises CasesError where there is none."""
    number = None if repository is None else version_in_use(repository, "encoder")
    if repository is None or number is None:
        raise CasesError("no encoder is published here: name a version's folder with --encoder")
    return repository / "encoder" / str(number)


def _list(kept: KeptAnswers) -> int:
    in_use = kept.in_use()
    for version, document in kept.models().items():
        trained = document.get("trained", {})
        print(f"{version}{' (in use)' if version == in_use else ''}  {trained.get('at', '')}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.training.fit.answers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_store(parser)
    parser.add_argument("--pairs", type=Path, nargs="+", default=[], help="JSON lines")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--encoder", type=Path, help="a published version; default: the state's")
    which.add_argument("--repository", type=Path, help="whose encoder in use, of Triton's models")
    parser.add_argument("--language", help="of the words, ISO 639-1; default: as most texts are")
    parser.add_argument("--seed", type=int, default=7)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="publish nothing")
    what.add_argument("--roll-back", action="store_true", help="to the version before")
    what.add_argument("--use", metavar="VERSION", help="one that is kept, or untrained")
    what.add_argument("--versions", action="store_true", help="list what is kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
