"""What sentences are read as, against what a person says they ask for."""

import unicodedata

import pytest

from tests.support.texts.judged_sentences import Judged, figures, judged, reader, told

SENTENCES = [*judged("sentences"), *judged("unseen")]


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda judged: judged.text)
def test_a_sentence_requires_what_it_says_and_nothing_else(sentence: Judged) -> None:
    hard, _ = told(reader(sentence.language, sentence.shop).read(sentence.text))
    assert hard - sentence.hard == set()


def test_what_is_required_was_asked_for_always_and_what_was_asked_for_is_read_nearly_always(
    capsys: pytest.CaptureFixture[str],
) -> None:
    read = [told(reader(each.language, each.shop).read(each.text)) for each in SENTENCES]
    hard = figures([hard for hard, _ in read], [each.hard for each in SENTENCES])
    soft = figures([soft for _, soft in read], [each.soft for each in SENTENCES])
    with capsys.disabled():
        print(f"\n{len(SENTENCES)} sentences; required: {hard}; lifted: {soft}")
    missed = [
        (each.text, sorted(each.hard - hard), sorted(each.soft ^ soft))
        for each, (hard, soft) in zip(SENTENCES, read, strict=True)
        if each.hard - hard or each.soft != soft
    ]
    assert hard.precision == 1.0
    assert hard.recall >= 0.95, missed
    assert soft.precision >= 0.95, missed
    assert soft.recall >= 0.9, missed


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda judged: judged.text)
def test_what_was_read_and_what_was_not_is_told_in_the_words_of_the_sentence(
    sentence: Judged,
) -> None:
    read = reader(sentence.language, sentence.shop).read(sentence.text)
    written = unicodedata.normalize("NFC", sentence.text)
    quotes = [wish.words for wish in read.wishes] + [left.words for left in read.not_used]
    assert all(quote and quote in written for quote in quotes), quotes
