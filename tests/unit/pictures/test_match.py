"""What hardly anyone has seen steps up where it looks like what its shopper chose."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.arrays import BoolArray, FloatArray, RowArray
from features.behavior.history import NO_HISTORY, ItemHistory
from features.catalog.table import ItemTable
from features.events.event import EventType
from serving.experiments.assignment import Assignment, Team
from serving.models.contract import PICTURE_VECTOR_SIZE
from serving.ranking.slate.policy import Ordered, SlatePolicy
from serving.search.pictures.index import PictureIndex, alike_to
from serving.search.pictures.match import LATELY, LooksLike, looks_like
from serving.shops.rules import Rules
from tests.support.fakes import candidates, context, matrix, state
from tests.support.pictures import look_at, png, shown_pictures
from tests.support.service import Service
from tests.support.service import candidates as offered

PLAIN: dict[str, Any] = {"exploration": {"share": 0}, "diversity": {"depth": 0}}
ON = Rules.model_validate({**PLAIN, "looks": {"strength": 4, "max_exposure": 40}})
OFF = Rules.model_validate(PLAIN)
RED, BLUE, PALE = png((250, 0, 0)), png((0, 0, 250)), png((250, 9, 9), 60)
ITEMS = ("bread", "butter", "oat", "glass")


class Counting(PictureIndex):
    """Counts how often it is asked for vectors."""

    n_asked = 0

    def known(self, rows: RowArray) -> tuple[BoolArray, FloatArray]:
        """See PictureIndex."""
        self.n_asked += 1
        return super().known(rows)


def unit(*values: float) -> FloatArray:
    out = np.zeros(PICTURE_VECTOR_SIZE, np.float32)
    out[: len(values)] = values
    return out / np.float32(np.linalg.norm(out))


SHAPES = np.stack([unit(1), unit(1, 0.3), unit(0, 1), unit(0, 1, 0.5)])


@pytest.fixture
def index() -> PictureIndex:
    made = PictureIndex()
    made.update(np.arange(4), SHAPES)
    return made


def history(recent: list[int], bought: list[int] | None = None) -> ItemHistory:
    kept = np.array(bought or [], np.int64)
    return ItemHistory(np.array(recent), np.ones(len(recent)), kept, np.ones((len(kept), 3)))


def test_a_candidate_is_compared_with_what_it_is_most_like(index: PictureIndex) -> None:
    found = looks_like(index, (history([0], [2]), NO_HISTORY), np.array([1, 3, 9, -1]))
    assert found is not None
    assert found.row.tolist() == [0, 2, -1, -1]
    both = alike_to(SHAPES[[1, 3]], SHAPES[[0, 2]]).mean(axis=1)
    assert found.alike.tolist() == pytest.approx([*both, 0, 0], abs=1e-3)
    assert found.take(np.array([1])).row.tolist() == [2]


def test_the_three_that_it_is_most_like_count_and_others_take_nothing_away() -> None:
    made = PictureIndex()
    made.update(np.arange(7), np.stack([unit(1, 0.1 * n) for n in range(4)] + [SHAPES[2]] * 3))
    few, many = (
        looks_like(made, (history(seen), NO_HISTORY), np.array([0]))
        for seen in ([1, 2, 3], [1, 2, 3, 4, 5, 6])
    )
    assert few is not None
    assert many is not None
    assert few.alike == pytest.approx(many.alike)
    assert many.row.tolist() == [1]


def test_user_and_session_count_and_nothing_is_like_itself(index: PictureIndex) -> None:
    found = looks_like(index, (history([0]), history([2])), np.array([0, 3]))
    assert found is not None
    assert found.row[1] == 2
    assert found.alike[0] < 0.01  # with what was chosen beside it


def test_where_no_picture_is_known_there_is_nothing_to_compare(index: PictureIndex) -> None:
    assert looks_like(index, (NO_HISTORY, NO_HISTORY), np.array([1])) is None
    assert looks_like(index, (history([9, -1]), NO_HISTORY), np.array([1])) is None
    assert looks_like(index, (history([0]), NO_HISTORY), np.array([9, -1])) is None


def test_only_what_was_clicked_lately_counts(index: PictureIndex) -> None:
    late = [9] * LATELY
    assert looks_like(index, (history([*late, 0]), NO_HISTORY), np.array([1])) is None
    assert looks_like(index, (history([*late[1:], 0]), NO_HISTORY), np.array([1])) is not None


def ordered(rules: Rules, exposure: list[float], alike: list[float]) -> Ordered:
    n = len(alike)
    looks = LooksLike(np.array(alike, np.float32), np.zeros(n, np.int64))
    columns = matrix(n, exposure=np.array(exposure, np.float32), looks=looks)
    names = [f"i{place}" for place in range(n)]
    scores = np.arange(n, 0, -1).astype(np.float32)
    policy = SlatePolicy(np.random.default_rng(0))
    return policy.order(ItemTable(), rules, context(), candidates(*names), columns, scores)


@pytest.mark.parametrize(
    ("exposure", "place"), [(0.0, 0), (20.0, 1), (28.0, 2), (40.0, 3), (np.inf, 3)]
)
def test_the_lift_fades_as_an_item_is_seen(exposure: float, place: int) -> None:
    """Scores 4, 3, 2, 1 have a spread of 1.12: the last rises by 4, 2, 1.2 and 0 of them."""
    found = ordered(ON, [np.inf, np.inf, np.inf, exposure], [0, 0, 0, 1])
    assert found.order.tolist().index(3) == place


def test_the_lift_is_in_proportion_to_likeness() -> None:
    places = [
        ordered(ON, [0, 0, 0, 0], [0, 0, 0, alike]).order.tolist().index(3)
        for alike in (0.1, 0.3, 0.5, 0.9)
    ]
    assert places == [3, 2, 1, 0]


def test_it_is_off_unless_a_shop_asks_for_it() -> None:
    assert Rules().looks.strength == 0
    assert ordered(OFF, [0, 0, 0, 0], [0, 0, 0, 1]).order.tolist() == [0, 1, 2, 3]


def test_an_arm_alone_may_ask_for_it() -> None:
    teams = (Team("old", OFF), Team("new", ON))
    assert Assignment(OFF).looks_reach == 0
    assert Assignment(OFF, teams=teams).looks_reach == 40
    assert Assignment(ON).looks_reach == 40


def opened(tokenizer_path: Path, folder: Path, rules: Rules) -> Service:
    """Ann has looked at milk, which is red as oat is; bread is blue."""
    service = Service(tokenizer_path, pictures=shown_pictures(folder), rules=rules)
    service.catalog.upsert(service.items.table.items)
    for item_id, content in (("milk", RED), ("oat", PALE), ("bread", BLUE)):
        look_at(service, item_id, content)
    return service


async def ranked(shop: Service, **more: Any) -> dict[str, dict[str, Any]]:
    body = {"user_id": "cleo", "candidates": offered(*ITEMS), "explain": True, **more}
    answer = await shop.post("/v1/rank", body)
    assert answer.status_code == 200, answer.text
    return {item["item_id"]: item for item in answer.json()["items"]}


def knows(shop: Service, *seen: str, kind: EventType = EventType.VIEW) -> None:
    cleo = str(shop.shop.pseudonyms.user("cleo"))
    shop.shoppers.users[cleo] = state(*seen, kind=kind, items=shop.items)


async def test_a_new_item_that_looks_like_what_was_clicked_steps_up_and_says_so(
    tokenizer_path: Path, tmp_path: Path
) -> None:
    without = opened(tokenizer_path, tmp_path / "off", OFF)
    shop = opened(tokenizer_path, tmp_path / "on", ON)
    title = shop.items.table.items[shop.items.table.row_of["milk"]].title
    for kind, words in ((EventType.VIEW, "looked at"), (EventType.PURCHASE, "bought")):
        for service in (without, shop):
            knows(service, "milk", "milk", kind=kind)
        before, now = await ranked(without), await ranked(shop)
        assert now["oat"]["position"] == 1
        assert now["oat"]["position"] <= before["oat"]["position"]
        (note,) = now["oat"]["explanation"]["rules"]
        assert note.startswith("looks +4: like ")
        assert now["oat"]["explanation"]["reasons"][0] == f"looks like “{title}”, which you {words}"
        assert now["bread"]["explanation"]["rules"] == []


@pytest.mark.parametrize(("locale", "words"), [("zh", "外观相似"), ("de", "sieht aus wie")])
async def test_the_reason_is_told_in_the_language_of_the_request(
    tokenizer_path: Path, tmp_path: Path, locale: str, words: str
) -> None:
    shop = opened(tokenizer_path, tmp_path, ON)
    knows(shop, "milk", "milk")
    found = await ranked(shop, context={"locale": locale})
    assert words in found["oat"]["explanation"]["reasons"][0]


@pytest.mark.parametrize("asked", [{"user_id": "stranger"}, {"personalize": False}])
async def test_whoever_is_not_known_gets_what_all_get(
    tokenizer_path: Path, tmp_path: Path, asked: dict[str, Any]
) -> None:
    shop = opened(tokenizer_path, tmp_path, ON)
    knows(shop, "milk", "milk")
    found = await ranked(shop, **asked)
    assert [item["explanation"]["rules"] for item in found.values()] == [[]] * len(ITEMS)


@pytest.mark.parametrize(("rules", "n_asked"), [(OFF, 0), (ON, 2)])
async def test_a_shop_that_leaves_it_off_looks_nothing_up(
    tokenizer_path: Path, tmp_path: Path, rules: Rules, n_asked: int
) -> None:
    shop = opened(tokenizer_path, tmp_path, rules)
    knows(shop, "milk", "milk")
    counting = shop.shop.retrieval.pictures = Counting()
    counting.update(np.arange(4), SHAPES)
    await ranked(shop, explain=False)
    assert counting.n_asked == n_asked


async def test_without_pictures_the_rule_moves_nothing(tokenizer_path: Path) -> None:
    shop = Service(tokenizer_path, rules=ON)
    knows(shop, "milk", "milk")
    assert all(not each["explanation"]["rules"] for each in (await ranked(shop)).values())


async def test_a_shelf_of_a_page_lifts_by_its_own_rules(
    tokenizer_path: Path, tmp_path: Path
) -> None:
    placed = {"usual": {}, "looking": {"rules": {"looks": {"strength": 4}}}}
    page = {"shelves": [{"placement": name, "size": 2} for name in placed]}
    rules = Rules.model_validate({**PLAIN, "placements": placed, "pages": {"home": page}})
    shop = opened(tokenizer_path, tmp_path, rules)
    knows(shop, "milk", "milk")
    answer = await shop.post("/v1/pages/home", {"user_id": "cleo", "explain": True})
    assert answer.status_code == 200, answer.text
    told = [
        [note for item in shelf["items"] for note in item["explanation"]["rules"]]
        for shelf in answer.json()["shelves"]
    ]
    assert told[0] == []
    assert told[1] == [note for note in told[1] if note.startswith("looks +")] != []
