"""Product feeds of other systems: what becomes of them, and the one line where it cannot."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from features.datasets.format import Dataset, DatasetError
from features.datasets.item_details import attributes_of
from features.datasets.registry import load

FEEDS = Path(__file__).resolve().parents[3] / "data" / "feeds"


def read(name: str, tmp_path: Path) -> Dataset:
    return load(str(FEEDS / name), tmp_path)


def item(dataset: Dataset, item_id: str) -> dict[str, Any]:
    return dict(dataset.items[dataset.items["item_id"] == item_id].iloc[0])


def attributes(dataset: Dataset, item_id: str) -> dict[str, str]:
    return attributes_of(item(dataset, item_id)["attributes"])


def refusal(tmp_path: Path, name: str, text: str | bytes) -> str:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(DatasetError) as caught:
        load(str(path), tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_a_merchant_feed_brings_texts_prices_pictures_and_identifiers(tmp_path: Path) -> None:
    dataset = read("merchant.xml", tmp_path)
    tent = item(dataset, "TENT-2")
    assert tent["title"] == "Two-Person Tent & Footprint"
    assert tent["description"] == "Light & dry. 2.1 kg"
    assert tent["category"] == "Camping > Tents > Two-person"
    assert (tent["price"], tent["currency"], tent["brand"]) == (149.0, "EUR", "Hill")
    assert (tent["image_url"], tent["available"]) == ("https://img.example/tent-2.jpg", True)
    assert attributes(dataset, "TENT-2") == {
        "Season": "3 seasons",
        "Poles": "Aluminium",
        "gtin": "4006381333931",
        "mpn": "HD-T2",
        "color": "Green",
        "sale_price": "149.00",
        "regular_price": "199.00",
    }
    assert dataset.info.name == "merchant"
    assert dataset.events.empty


def test_a_sale_that_is_over_leaves_the_usual_price(tmp_path: Path) -> None:
    dataset = read("merchant.xml", tmp_path)
    stove = item(dataset, "STOVE-1")
    assert (stove["price"], stove["available"]) == (1299.0, False)
    assert stove["category"] == "Sporting Goods > Outdoor Recreation"
    assert attributes(dataset, "STOVE-1") == {"condition": "refurbished"}


def test_an_atom_feed_is_known_by_googles_ids(tmp_path: Path) -> None:
    kettle = item(read("atom.xml", tmp_path), "1")
    assert (kettle["title"], kettle["price"], kettle["currency"]) == ("Kettle", 15.0, "USD")


def test_a_merchant_table_keeps_a_bare_inch_sign(tmp_path: Path) -> None:
    dataset = read("merchant.tsv", tmp_path)
    monitor = item(dataset, "M-24")
    assert (monitor["title"], monitor["description"]) == ('24" Monitor', 'Sharp "IPS" panel')
    assert (monitor["price"], monitor["available"]) == (1299.0, True)
    assert attributes(dataset, "M-24") == {"Size": "24 in", "Ports": "HDMI"}


def test_a_shopify_product_is_one_item_of_all_its_variants(tmp_path: Path) -> None:
    dataset = read("shopify.csv", tmp_path)
    assert dataset.items["item_id"].tolist() == ["linen-shirt", "gift-card"]
    shirt = item(dataset, "linen-shirt")
    assert (shirt["title"], shirt["description"]) == ("Linen Shirt", "Cool, loose.")
    # The cheapest variant is sold out; of the others the sale price counts.
    assert (shirt["price"], shirt["available"]) == (45.0, True)
    assert shirt["image_url"] == "https://img.example/1.jpg"
    assert attributes(dataset, "linen-shirt") == {
        "type": "Shirts",
        "tags": "linen, summer",
        "mpn": "LS",
        "Colour": "White, Blue",
        "Size": "S, M",
        "sku": "LS-W-S, LS-W-M, LS-B-M",
        "barcode": "0012345678905",
        "sale_price": "45.00",
        "regular_price": "60.00",
    }
    assert attributes(dataset, "gift-card") == {"sku": "GC"}
    assert item(dataset, "gift-card")["category"] == "Gift Cards"


def test_the_shopify_header_of_2025_is_read_too(tmp_path: Path) -> None:
    dataset = read("shopify_2025.csv", tmp_path)
    mug = item(dataset, "mug")
    assert (mug["title"], mug["price"], mug["available"]) == ("Mug", 12.0, False)
    assert attributes(dataset, "mug")["Colour"] == "Red, Grey"


def test_a_woocommerce_product_is_one_item_of_all_its_variations(tmp_path: Path) -> None:
    dataset = read("woocommerce.csv", tmp_path)
    assert dataset.items["item_id"].tolist() == ["10", "20"]
    hoodie = item(dataset, "10")
    assert (hoodie["title"], hoodie["category"]) == ("Hoodie", "Clothing > Hoodies")
    assert (hoodie["price"], hoodie["available"], hoodie["brand"]) == (35.0, True, "Norvane")
    assert hoodie["description"] == "Warm. Very warm."
    assert hoodie["image_url"] == "https://img.example/h.jpg"
    assert attributes(dataset, "10") == {
        "Colour": "Red, Blue",
        "Fit": "Wide, long",
        "sku": "HOOD, HOOD-R, HOOD-B",
        "gtin": "4006381333931",
        "sale_price": "35.00",
        "regular_price": "42.00",
        "tags": "winter",
    }
    voucher = item(dataset, "20")
    assert (voucher["title"], voucher["price"]) == ("Voucher & Card", 10.0)


def test_a_table_with_a_mapping_file_is_read_as_that_says(tmp_path: Path) -> None:
    dataset = read("german.csv", tmp_path)
    shoe, socks = item(dataset, "A1"), item(dataset, "A2")
    assert (shoe["price"], shoe["currency"], shoe["available"]) == (1299.0, "EUR", True)
    assert (shoe["category"], socks["category"]) == ("Schuhe > Outdoor", "Schuhe")
    assert (socks["title"], socks["price"], socks["available"]) == ("Socken 3er", 9.9, False)
    assert attributes(dataset, "A1") == {"colour": "Braun"}


def test_dataset_json_tells_the_currency_that_a_feed_lacks(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_bytes((FEEDS / "shopify.csv").read_bytes())
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "shirts", "currency": "EUR"}))
    dataset = load(str(tmp_path), tmp_path)
    assert (dataset.info.name, dataset.info.currency) == ("shirts", "EUR")


def test_a_feed_in_a_currency_without_a_rate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "feed.tsv").write_bytes((FEEDS / "merchant.tsv").read_bytes())
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "shop", "currency": "EUR"}))
    with pytest.raises(DatasetError, match="no rate is known for 'USD'"):
        load(str(tmp_path), tmp_path)


def rss(inside: str, before: str = "") -> str:
    return (
        f'<?xml version="1.0"?>\n{before}<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
        f"{inside}\n</channel></rss>"
    )


BOMB = '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
SHOPIFY = "Handle,Title,Option1 Name,Variant Price\n"
WOO = "ID,Type,SKU,Name,Regular price,Parent,Date sale price ends\n"
REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "an XML bomb": (
        "f.xml",
        rss("<item><g:id>&b;</g:id></item>", BOMB),
        "f.xml: line 2: a DOCTYPE, which no feed needs: refused",
    ),
    "a file of this machine": (
        "f.xml",
        rss("<item/>", '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'),
        "f.xml: line 2: a DOCTYPE, which no feed needs: refused",
    ),
    "endless depth": ("f.xml", rss("<a>" * 50), "f.xml: line 3: elements too deep for a feed"),
    "broken XML": ("f.xml", rss("<item><g:id>1</item>"), "line 3: column 16: no well-formed XML"),
    "an encoding of nobody": (
        "f.xml",
        rss("<item/>").replace("?>", ' encoding="utf-9"?>', 1),
        "f.xml: line 1: unknown encoding: utf-9: save it as UTF-8",
    ),
    "no feed": ("f.xml", "<html></html>", "f.xml: neither an <item> nor an <entry>"),
    "no id": ("f.xml", rss("<item><g:title>x</g:title></item>"), "line 3: column 'id' is empty"),
    "an id twice": (
        "f.xml",
        rss("<item><g:id>7</g:id></item>\n<item><g:id>7</g:id></item>"),
        "f.xml: line 4: column 'id' holds '7', which stands in f.xml, line 3",
    ),
    "no price": (
        "f.xml",
        rss("<item><g:id>7</g:id><g:price>on request</g:price></item>"),
        "f.xml: line 3: column 'price' holds 'on request' where a price belongs",
    ),
    "a sale without a date": (
        "f.xml",
        rss(
            "<item><g:id>7</g:id><g:price>9 EUR</g:price><g:sale_price>8 EUR</g:sale_price>"
            "<g:sale_price_effective_date>soon</g:sale_price_effective_date></item>"
        ),
        "line 3: column 'sale_price_effective_date' holds 'soon' where a time belongs",
    ),
    "no handle": ("f.csv", SHOPIFY + ",Hat,Title,5\n", "line 2: column 'Handle' is empty"),
    "a handle that comes back": (
        "f.csv",
        SHOPIFY + "hat,Hat,Title,5\ncap,Cap,Title,5\nhat,Hat,Title,5\n",
        "line 4: column 'Handle' holds 'hat', which stands in f.csv, line 2",
    ),
    "a price in words": (
        "f.csv",
        SHOPIFY + "hat,Hat,Title,five\n",
        "f.csv: line 2: column 'Variant Price' holds 'five' where a price belongs",
    ),
    "a price after a text of several lines": (
        "f.csv",
        SHOPIFY + 'hat,"Hat\nof felt",Title,5\ncap,Cap,Title,-5\n',
        "f.csv: line 4: column 'Variant Price' holds '-5' where a price belongs",
    ),
    "a variation of nothing": (
        "f.csv",
        WOO + "2,variation,,Red,5,id:1,\n",
        "line 2: column 'Parent' names a product that is not in the file",
    ),
    "a product without id": ("f.csv", WOO + ",simple,,Hat,5,,\n", "line 2: column 'ID' is empty"),
    "a sale that never ends": (
        "f.csv",
        WOO + "1,simple,,Hat,5,,never\n",
        "line 2: column 'Date sale price ends' holds 'never' where a time belongs",
    ),
    "a row too long": (
        "f.csv",
        SHOPIFY + "hat,Hat,Title,5,6\n",
        "f.csv: line 2: 5 cells, the header has 4: is a delimiter not quoted?",
    ),
    "a column twice": ("f.csv", "Handle,Handle\n", "line 1: column 'Handle' stands twice"),
    "no header": ("f.csv", "\n", "f.csv: line 1: no header"),
    "another encoding": (
        "f.csv",
        SHOPIFY.encode() + b"\n" * 5 + "hut,Grüner Hut,Title,5".encode("cp1252"),
        "f.csv: line 7: not UTF-8: save it as UTF-8",
    ),
    "columns of nobody": (
        "f.csv",
        "Nr;Was\n1;Hut\n",
        "f.csv: line 1: columns of no system that is known (Nr, Was): `make doctor DATA=",
    ),
    "an array": ("f.json", '[{"id": 1}]', "f.json: line 1: no JSON object; make an array one"),
    "an array over lines": ("f.json", '[\n{"id": 1}\n]', "line 1: column 1: not JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_gets_one_line_with_its_place(tmp_path: Path, case: str) -> None:
    name, text, expected = REFUSED[case]
    assert expected in refusal(tmp_path, name, text)


def test_a_table_may_be_utf_16_as_spreadsheets_save_it(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes((SHOPIFY.replace(",", "\t") + "hut\tGrüner Hut\tTitle\t5\n").encode("utf-16"))
    assert load(str(path), tmp_path).items["title"].tolist() == ["Grüner Hut"]


def test_an_item_without_a_price_is_none_of_price_0(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(SHOPIFY + "hat,Hat,Title,\n")
    assert math.isnan(load(str(path), tmp_path).items["price"][0])
