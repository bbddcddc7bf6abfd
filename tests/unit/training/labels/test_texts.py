"""Labelled texts are read from the files that people have, or told what is wrong with them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from serving.training.fit.labels.texts import TextsError, held_out, read_labelled, read_texts

ROWS = [{"text": f"text {n}", "label": "bad" if n % 3 else "good", "id": n} for n in range(60)]


def write(path: Path) -> Path:
    table = pd.DataFrame(ROWS)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["texts.jsonl", "texts.csv", "texts.parquet"])
def test_each_format_gives_the_same(tmp_path: Path, name: str) -> None:
    found = read_labelled(write(tmp_path / name), "text", "label")
    assert found.labels == ["bad", "good"]
    assert len(found.texts) == 60
    assert found.codes.tolist()[:4] == [1, 0, 0, 1]


def test_the_same_text_counts_once_and_an_empty_one_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    rows = [*ROWS, ROWS[0], {"text": "  ", "label": "bad"}, {"text": None, "label": "bad"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(read_labelled(path, "text", "label").texts) == 60
    assert len(read_texts(path, "text")) == 60


def test_what_is_held_out_is_a_fifth_and_always_the_same() -> None:
    texts = [f"text {n}" for n in range(2_000)]
    chosen = held_out(texts)
    assert 0.17 < chosen.mean() < 0.23
    assert held_out(texts[::-1]).tolist() == chosen.tolist()[::-1]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"text": "a", "kind": "b"}], "has no column 'label', but text, kind"),
        ([{"text": f"t{n}", "label": "a"} for n in range(20)], "2 to 32 labels are wanted"),
        (ROWS[:12], "'good' has 4 texts, 10 are wanted"),
        ([{"text": "", "label": "a"}], "no texts"),
    ],
)
def test_what_cannot_be_learnt_from_is_told(
    tmp_path: Path, rows: list[dict[str, str]], told: str
) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(TextsError, match=told) as error:
        read_labelled(path, "text", "label")
    assert str(path) in str(error.value)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(TextsError, match="cannot be read"):
        read_labelled(tmp_path / "nothing.jsonl", "text", "label")
    with pytest.raises(TextsError, match="JSON lines, CSV or Parquet"):
        read_labelled(tmp_path / "texts.txt", "text", "label")


def test_a_label_that_was_not_learnt_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "texts.jsonl")
    with pytest.raises(TextsError, match="'good' is no label of the training texts"):
        read_labelled(path, "text", "label", ["bad", "fine"])
