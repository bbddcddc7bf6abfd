"""What language a catalogue is in."""

import pytest

from features.catalog.language import dominant_language, nearly_all_english

ENGLISH = [
    "WHITE HANGING HEART T-LIGHT HOLDER", "Wireless noise cancelling headphones with microphone",
    "Women's running shoes, breathable and light", "Stainless steel water bottle, 750 ml",
    "Set of 6 wine glasses for the whole family", "Organic whole milk, one gallon",
    "Leather wallet for men with coin pocket", "The complete guide to home baking",
]  # fmt: skip
GERMAN = [
    "Damen Laufschuhe, leicht und atmungsaktiv", "Kabellose Kopfhörer mit Geräuschunterdrückung",
    "Trinkflasche aus Edelstahl, 750 ml", "Sechs Weingläser für die ganze Familie",
    "Frische Vollmilch vom Bauernhof", "Geldbörse aus Leder mit Münzfach für Herren",
    "Das große Buch vom Backen zu Hause", "Schneidebrett aus Holz für die Küche",
]  # fmt: skip
CHINESE = [
    "跑步鞋 男",
    "不锈钢保温杯",
    "真丝连衣裙 女士",
    "无线蓝牙耳机",
    "儿童积木玩具",
    "有机纯牛奶",
]
JAPANESE = [
    "ランニングシューズ メンズ", "ステンレス製の水筒", "ワイヤレスイヤホン", "こどもの積み木",
    "ご飯茶碗", "レザーの財布",
]  # fmt: skip


@pytest.mark.parametrize(
    ("titles", "language"),
    [(ENGLISH, "en"), (GERMAN, "de"), (CHINESE, "zh"), (JAPANESE, "ja")],
)
def test_a_catalogue_is_in_the_language_of_its_titles(titles: list[str], language: str) -> None:
    assert dominant_language(titles) == language
    assert nearly_all_english(titles) == (language == "en")


@pytest.mark.parametrize("titles", [[], ["X-200"], ["12", "500 ml", ""]])
def test_where_nothing_can_be_told_it_is_english(titles: list[str]) -> None:
    assert dominant_language(titles) == "en"
    assert nearly_all_english(titles)


def test_a_mixed_catalogue_is_not_english_although_most_of_it_is() -> None:
    mixed = [*ENGLISH * 4, *CHINESE]
    assert dominant_language(mixed) == "en"
    assert not nearly_all_english(mixed)


def test_a_foreign_title_in_a_hundred_changes_nothing() -> None:
    assert nearly_all_english([*ENGLISH * 12, "Schneidebrett aus Holz für die Küche"])
