"""The catalogue as columns."""

from features.catalog.item import Item
from features.catalog.table import MAX_WORDS, ItemTable


def test_attributes_and_description_tell_taste_and_a_long_text_is_cut() -> None:
    words = " ".join(f"word{number}" for number in range(2 * MAX_WORDS))
    shop = ItemTable([Item("red", "Red mug")])
    shop.upsert([Item("new", "Vase", description=words, attributes={"colour": "red"})])
    found, code = shop.words[1], shop.word_code
    assert found[:3].tolist() == [code["vase"], code["red"], code["word0"]]
    assert (found >= 0).all()
