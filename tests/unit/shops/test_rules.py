"""The rules file: a mistake in it stops the deploy and names its place."""

from pathlib import Path

import pytest

from serving.shops.rules import Rules, RulesError, read_rules

SHIPPED = Path(__file__).resolve().parents[3] / "serving" / "local" / "rules.yaml"


def read(folder: Path, text: str) -> Rules:
    path = folder / "rules.yaml"
    path.write_text(text)
    return read_rules(path)


def test_the_shipped_rules_are_the_defaults_and_the_demo_shop_s_page() -> None:
    shipped = read_rules(SHIPPED)
    assert shipped.model_copy(update={"placements": {}, "pages": {}}) == Rules()
    assert list(shipped.pages) == ["home"]


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Rules()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("boost: []", "boost: Extra inputs"),
        ("cold_start: {weights: {popularty: 1}}", "cold_start.weights.popularty"),
        ("cold_start: {popularity_window: 2d}", "cold_start.popularity_window"),
        ("diversity: {window: 1}", "diversity.window"),
        ("exploration: {share: 0.9}", "exploration.share"),
        ("boosts: [{match: {brand: A}, lift: 11, reason: x}]", "boosts.0.lift"),
        ("boosts: [{match: {brand: A}, lift: 1}]", "boosts.0.reason"),
        ("buries: [{match: {query_contains: milk}, reason: x}]", "buries.0.match"),
        ("pins: [{item_id: a, position: 0, reason: x}]", "pins.0.position"),
        ("pins: [{item_id: a, position: 1, reason: x, starts_at: 2026-01-01}]", "pins.0.starts_at"),
        (
            "pins: [{item_id: a, position: 1, reason: x, starts_at: 2026-01-02T00:00:00Z, "
            "ends_at: 2026-01-01T00:00:00Z}]",
            "ends_at must be after starts_at",
        ),
        (
            "pins: [{item_id: a, position: 1, reason: x}, {item_id: b, position: 1, reason: x}]",
            "two pins want position 1",
        ),
        ("- a list", "Input should be a valid dictionary"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(RulesError, match=r"rules\.yaml") as caught:
        read(tmp_path, text)
    assert named in str(caught.value)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"diversity\.window.*; .*exploration\.share"):
        read(tmp_path, "{diversity: {window: 1}, exploration: {share: 2}}")


def test_a_file_that_is_missing_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="No such file"):
        read_rules(tmp_path / "none.yaml")
    (tmp_path / "rules.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RulesError, match="not UTF-8"):
        read_rules(tmp_path / "rules.yaml")


def test_two_pins_may_take_turns_at_one_place(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        """
        pins:
        - {item_id: a, position: 1, reason: winter, ends_at: 2026-03-01T00:00:00Z}
        - {item_id: b, position: 1, reason: spring, starts_at: 2026-03-01T00:00:00Z}
        - {item_id: c, position: 1, reason: for milk, query_contains: milk}
        """,
    )
    assert [pin.item_id for pin in rules.pins] == ["a", "b", "c"]
