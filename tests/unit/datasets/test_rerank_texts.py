"""The texts in tests/data/rerank: consistent, and what their README.md counts."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "data" / "rerank"
FIELDS = {"query": str, "text": str, "relevant": int, "topic": str, "split": str, "kind": str}
KINDS = ("answer", "same_topic", "word_trap", "other_topic")
SPLITS = ("dev", "test")

Row = dict[str, str | int]


@pytest.fixture(scope="module", params=["texts.jsonl", "zh.jsonl"])
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rows(file: str) -> list[Row]:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def by_query(rows: list[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["query"]), []).append(row)
    return groups


def words(text: str, file: str) -> set[str]:
    """What can be shared: words of four letters or more; in Chinese two neighbouring characters."""
    if file == "zh.jsonl":
        return {a + b for a, b in pairwise(re.sub(r"\W", "", text))}
    return set(re.findall(r"\w{4,}", text.lower()))


def test_every_line_has_the_fields_and_known_values(rows: list[Row]) -> None:
    for row in rows:
        assert {name: type(value) for name, value in row.items()} == FIELDS, row
        assert row["kind"] in KINDS
        assert row["split"] in SPLITS
        assert row["relevant"] == (row["kind"] == "answer"), row
        assert all(value == value.strip() != "" for value in row.values() if isinstance(value, str))


def test_every_query_has_relevant_and_irrelevant_texts_of_all_kinds(
    by_query: dict[str, list[Row]],
) -> None:
    for query, texts in by_query.items():
        kinds = Counter(row["kind"] for row in texts)
        assert 1 <= kinds["answer"] <= 2, query
        assert kinds["same_topic"] == 2, query
        assert kinds["word_trap"] == 1, query
        assert 1 <= kinds["other_topic"] <= 2, query
        assert len({row["text"] for row in texts}) == len(texts), query
        assert len({row["topic"] for row in texts}) == 1, query


def test_no_query_and_no_text_is_in_both_splits_but_every_topic_is(rows: list[Row]) -> None:
    def seen(split: str, name: str) -> set[str | int]:
        return {row[name] for row in rows if row["split"] == split}

    assert not seen("dev", "query") & seen("test", "query")
    assert not seen("dev", "text") & seen("test", "text")
    assert seen("dev", "topic") == seen("test", "topic")


def test_english_texts_have_5_to_60_words() -> None:
    for line in (FOLDER / "texts.jsonl").read_text(encoding="utf-8").splitlines():
        assert 5 <= len(json.loads(line)["text"].split()) <= 60, line


def test_neither_length_nor_place_tells_the_relevant_texts(by_query: dict[str, list[Row]]) -> None:
    longer, earlier = [], []
    for texts in by_query.values():
        places = list(enumerate(texts))
        for here, row in places:
            for there, other in places:
                if row["relevant"] and not other["relevant"]:
                    longer.append(len(str(row["text"])) > len(str(other["text"])))
                    earlier.append(here < there)
    for guesses in (longer, earlier):
        assert 0.4 < sum(guesses) / len(guesses) < 0.6


def test_the_readme_counts_what_is_there(
    file: str, rows: list[Row], by_query: dict[str, list[Row]]
) -> None:
    per_split = Counter(texts[0]["split"] for texts in by_query.values())
    per_kind = Counter(row["kind"] for row in rows)
    apart = sum(
        not words(str(row["query"]), file) & words(str(row["text"]), file)
        for row in rows
        if row["relevant"]
    )
    counts = [len(by_query), *(per_split[split] for split in SPLITS), len(rows)]
    counts += [*(per_kind[kind] for kind in KINDS), apart]
    row = f"| `{file}` | {' | '.join(str(count) for count in counts)} |"
    assert row in (FOLDER / "README.md").read_text(encoding="utf-8"), row
