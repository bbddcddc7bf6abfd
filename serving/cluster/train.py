"""Retrain on what the shop has collected, and roll out: `python -m serving.cluster.train`.

Log and catalogue become a data set, the data set a bundle, the bundle a version if it passes the
gate; every running model server takes it into use, or serves it beside the version in use
(`--release candidate`). Whatever fails, the version in use stays in use.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from features.behavior.replay import item_table
from features.datasets.format import write_dataset
from features.ingest.export import collected
from features.store.backends import open_controls
from serving.cluster.release import make_room
from serving.settings import Settings
from serving.shops.rules import read_rules
from serving.shops.seeding import write_item_texts
from serving.training.fit import training
from serving.training.fit.__main__ import main as train
from serving.training.publish.__main__ import main as publish


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving.cluster.train", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="Settings as JSON")
    parser.add_argument("--data", help="a data set instead of what was collected")
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--reload", action="append", default=[], metavar="URL")
    parser.add_argument("--precision", choices=("int8", "float16"), default="int8")
    parser.add_argument("--release", choices=("use", "candidate"), default="use")
    parser.add_argument("--slates", type=int, default=training.TrainingOptions().n_train)
    parser.add_argument("--steps", type=int, default=training.TrainingOptions().tuning.steps)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    settings = Settings.model_validate_json(given.settings.read_bytes())
    store = settings.store
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        dataset = collected(store)
        source = given.data
        if source is None and dataset.events.empty:
            print("the event log holds no event to train on", file=sys.stderr)
            return 2
        if source is None:
            write_dataset(dataset, folder / "collected")
            source = str(folder / "collected")
        texts = folder / "item_texts.jsonl"
        write_item_texts(item_table(dataset), texts)
        options = [
            "--data", source, "--out", str(folder / "bundle"), "--cache", str(folder / "cache"),
            "--slates", str(given.slates), "--steps", str(given.steps),
            "--threads", str(given.threads),
        ]  # fmt: skip
        if settings.objective_path is not None:
            options += ["--objective", str(settings.objective_path)]
        trained = train(options)
        if trained != 0:
            return trained
        if given.release == "candidate":
            rules, controls = read_rules(settings.rules_path), open_controls(store)
            status = make_room(given.repository, rules, controls, publish, given.reload)
            if status != 0:
                return status
        arguments = ["ranker", "--repository", str(given.repository)]
        arguments += ["--bundle", str(folder / "bundle"), "--item-texts", str(texts)]
        arguments += ["--precision", given.precision]
        arguments += ["--candidate"] if given.release == "candidate" else []
        for url in given.reload:
            arguments += ["--reload", url]
        return publish(arguments)


if __name__ == "__main__":
    sys.exit(main())
