"""Which encoder a state folder is prepared with, and what serving is told of it."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from features.behavior.matrix import FEATURE_NAMES
from serving.local.models import tokenizer_path
from serving.local.prepare import profile_for
from serving.local.state_folder import LAYOUT, Encoder, prepared, settings_for
from serving.models.contract import EncoderProfile
from serving.models.settings import ModelSettings

ENGLISH = ["Set of 6 wine glasses for the whole family", "The complete guide to home baking"] * 5
CHINESE = ["跑步鞋 男", "不锈钢保温杯"] * 5


@pytest.mark.parametrize(
    ("titles", "profile"),
    [
        (ENGLISH, EncoderProfile.ENGLISH),
        ([], EncoderProfile.ENGLISH),
        (CHINESE, EncoderProfile.MULTILINGUAL),
        ([*ENGLISH, *CHINESE], EncoderProfile.MULTILINGUAL),
    ],
)
def test_the_titles_decide(titles: list[str], profile: EncoderProfile) -> None:
    assert profile_for(titles) is profile


def test_a_folder_of_before_has_the_english_encoder(tmp_path: Path) -> None:
    content = {
        "layout": LAYOUT, "feature_names": FEATURE_NAMES, "data": "grocery", "n_items": 1,
        "sample": {"user_id": "u", "item_ids": ["i"], "query": "q"},
    }  # fmt: skip
    (tmp_path / "prepared.json").write_text(json.dumps(content))
    found = prepared(tmp_path)
    assert found is not None
    assert (found.encoder, found.language) == (EncoderProfile.ENGLISH, "en")


def test_serving_is_told_the_profile_and_its_tokenizer(tmp_path: Path) -> None:
    ranker = tokenizer_path()
    usual = settings_for(tmp_path, ranker, 1, None).model
    assert (usual.encoder_profile, usual.encoder_tokenizer_path) == ("english", ranker)
    profile = EncoderProfile.MULTILINGUAL
    encoder = Encoder(profile, tokenizer_path(profile))
    chosen = settings_for(tmp_path, ranker, 1, None, encoder=encoder).model
    assert chosen.tokenizer_path == ranker
    assert chosen.encoder_tokenizer_path == encoder.tokenizer
    assert encoder.tokenizer.is_file()


def test_another_profile_needs_its_own_tokenizer() -> None:
    with pytest.raises(ValidationError, match="encoder_tokenizer_path for multilingual"):
        ModelSettings(tokenizer_path=Path("x"), encoder_profile=EncoderProfile.MULTILINGUAL)
