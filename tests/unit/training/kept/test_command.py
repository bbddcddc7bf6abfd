"""What is learnt for a shop goes through one gate: published, listed, used and rolled back."""

import argparse
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from features.controls.versions import KeptVersions
from features.store.backends import open_controls, open_event_log
from features.store.settings import embedded_store
from serving.models.contract import EncoderProfile
from serving.models.runtime.sealed import MANIFEST
from serving.shops.pictures.kept import NONE, kept_spaces
from serving.training.fit.answers import __main__ as answers
from serving.training.fit.kept.command import Learnt, add_options, encoder_chosen, run
from serving.training.fit.kept.material import MaterialError
from serving.training.fit.pictures import __main__ as pictures


class Shop:
    """A state folder, and a command that learns `problem` of it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        settings = embedded_store(state)
        open_event_log(settings).close()
        self.controls = open_controls(settings)
        self.kept: KeptVersions = kept_spaces(self.controls)
        self.problem: str | None = None
        self.material = True

    def command(self, *options: str) -> int:
        return run(self.given(*options), kept_spaces, lambda *_: self._learn())

    def given(self, *options: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        add_options(parser, NONE)
        return parser.parse_args([f"--state={self.state}", *options])

    def _learn(self) -> Learnt:
        if not self.material:
            raise MaterialError("3 pairs: 40 are needed")
        return Learnt("as measured", self.problem, {"recall": 0.5}, lambda: {"size": 3})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    with closing(shop.controls):
        yield shop


def test_what_passes_the_gate_is_in_use_with_its_measurement(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shop.command() == 0
    assert shop.kept.in_use() == "1"
    document = shop.kept.all()["1"]
    assert (document["size"], document["trained"]["judgement"]) == (3, {"recall": 0.5})
    told = capsys.readouterr().out
    assert told.startswith("as measured\n")
    assert told.endswith("published: version 1 is in use\n")


def test_a_shut_gate_publishes_nothing(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.problem = "no better than a draw"
    assert shop.command() == 1
    assert shop.kept.all() == {}
    assert capsys.readouterr().err == "not published: no better than a draw\n"


def test_a_dry_run_publishes_nothing(shop: Shop) -> None:
    assert shop.command("--dry-run") == 0
    assert shop.kept.all() == {}


def test_too_little_to_learn_from_is_told(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.material = False
    assert shop.command() == 2
    assert capsys.readouterr().err == "3 pairs: 40 are needed\n"


def test_versions_are_listed_used_and_rolled_back_without_learning(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        shop.command()
    shop.material = False
    assert shop.command("--roll-back") == 0
    assert shop.kept.in_use() == "1"
    assert shop.command("--use=none") == 0
    assert shop.kept.in_use() == NONE
    assert shop.command("--use=1") == 0
    capsys.readouterr()
    assert shop.command("--versions") == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "1 (in use)", "2",
    ]  # fmt: skip
    assert shop.command("--use=7") == 1
    assert "version 7 is not kept; 1, 2, none are" in capsys.readouterr().err


def test_the_encoder_is_the_one_that_is_named_or_in_use(shop: Shop) -> None:
    with pytest.raises(MaterialError, match="no encoder is published"):
        encoder_chosen(shop.given())
    models = shop.state / "models" / "encoder"
    for number, profile in ((1, "english"), (2, "multilingual")):
        (models / str(number)).mkdir(parents=True)
        (models / str(number) / MANIFEST).write_text(json.dumps({"profile": profile}))
    (models / "config.pbtxt").write_text("version_policy: { specific: { versions: [ 2 ] } }\n")
    in_use = (models / "2", EncoderProfile.MULTILINGUAL)
    assert encoder_chosen(shop.given()) == in_use
    assert encoder_chosen(shop.given(f"--repository={shop.state / 'models'}")) == in_use
    named = models / "1"
    assert encoder_chosen(shop.given(f"--encoder={named}")) == (named, EncoderProfile.ENGLISH)


@pytest.mark.parametrize("learns", [answers.main, pictures.main])
def test_both_commands_return_to_no_version_and_tell_what_they_lack(
    shop: Shop, learns: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(learns)
    state = f"--state={shop.state}"
    assert learns([state, "--roll-back"]) == 0
    assert capsys.readouterr().out in ("version none is in use\n", "version untrained is in use\n")
    assert learns([state]) == 2
    assert "no encoder is published here" in capsys.readouterr().err
