"""An item by its own fields."""

from features.catalog.item import category_path


def test_a_category_path_is_written_in_one_way() -> None:
    assert category_path(" A>B > C>D ") == "A > B > C"
    assert category_path(" > ") == ""
