"""Catalogue entries and erasures over HTTP, as they are kept."""

from pathlib import Path

import numpy as np

from features.catalog.table import ItemTable
from tests.support.fakes import NOW_S
from tests.support.service import Service


async def test_items_are_stored_in_the_catalogues_own_writing(tokenizer_path: Path) -> None:
    service = Service(tokenizer_path)
    jam_entry = {
        "item_id": "jam", "title": "Plum jam", "category": " Food>Spreads > ", "price": 3,
        "attributes": {"size": "1 kg"},
    }  # fmt: skip
    entries = [jam_entry, {"item_id": "x", "title": "X", "category": " > "}]
    answer = await service.call("PUT", "/v1/items", json={"items": entries})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    jam, x = service.catalog.items["jam"], service.catalog.items["x"]
    assert jam is not None
    assert x is not None
    assert (jam.category, jam.price, jam.attributes) == ("Food > Spreads", 3.0, {"size": "1 kg"})
    assert x.category == ""
    assert np.isnan(x.price)
    assert jam.created_s == NOW_S
    assert len(ItemTable([jam, x])) == 2
    assert x.ranker_text == "X"


async def test_an_erasure_names_the_pseudonym_and_never_the_raw_id(tokenizer_path: Path) -> None:
    service = Service(tokenizer_path)
    answer = await service.call("DELETE", "/v1/users/ann@example.org")
    assert answer.status_code == 202
    assert service.log.erased == [service.shop.pseudonyms.user("ann@example.org")]
