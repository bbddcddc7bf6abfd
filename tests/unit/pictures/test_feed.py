"""A replica's index follows what workers have found."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features.catalog.item import Item
from features.pictures.pictures import Pictures
from features.pictures.sqlite_store import SqlitePictures
from serving.models.contract import (
    PICTURE_ENCODER,
    PICTURE_VECTOR_SIZE,
    VECTOR_SIZE,
    EncoderProfile,
)
from serving.search.pictures.joint import JointSpace
from serving.shops.pictures.feed import PictureFeed
from serving.shops.pictures.kept import kept_spaces
from tests.support.fakes import NOW_S
from tests.support.pictures import colour_vector, shown_pictures
from tests.support.service import Service

RED = np.full((4, 4, 3), (255, 0, 0), np.uint8)


class Replica:
    """A shop, its pictures, and the feed between them."""

    def __init__(self, folder: Path, tokenizer_path: Path) -> None:
        self.pictures = Pictures(SqlitePictures(folder / "pictures.db"))
        self.service = Service(tokenizer_path, pictures=shown_pictures(folder))
        shop, english = self.service.shop, EncoderProfile.ENGLISH
        self.spaces = kept_spaces(shop.controls)
        self.feed = PictureFeed(
            self.pictures, self.spaces, self.service.items, shop.retrieval, english, 1.0
        )

    def looked_at(self, item_id: str, encoder: str = PICTURE_ENCODER) -> None:
        self.pictures.put(item_id, b"canvas", NOW_S)
        (row,) = self.pictures.claim(NOW_S, 1)
        self.pictures.done(row, colour_vector(RED).astype(np.float16), encoder)
        self.feed.follow()

    def has_picture(self, item_id: str) -> bool:
        index = self.service.shop.retrieval.pictures
        assert index is not None
        return bool(index.known(self.service.items.table.rows([item_id]))[0].all())


@pytest.fixture
def replica(tmp_path: Path, tokenizer_path: Path) -> Iterator[Replica]:
    opened = Replica(tmp_path, tokenizer_path)
    yield opened
    opened.pictures.close()


def test_a_picture_that_comes_before_its_item_waits_for_it(replica: Replica) -> None:
    replica.looked_at("tea")
    assert replica.feed.n_early == 1
    replica.service.items.table.upsert([Item("tea", "Tea")])
    replica.feed.follow()
    assert replica.has_picture("tea")
    assert replica.feed.n_early == 0


def test_what_is_gone_before_its_item_came_is_not_waited_for(replica: Replica) -> None:
    replica.looked_at("tea")
    replica.pictures.drop(["tea"])
    replica.feed.follow()
    assert replica.feed.n_early == 0


def test_vectors_of_another_encoder_are_not_compared_until_they_are_renewed(
    replica: Replica,
) -> None:
    replica.looked_at("milk", "another-net")
    assert not replica.has_picture("milk")
    replica.looked_at("milk")
    assert replica.has_picture("milk")


def test_a_joint_space_is_taken_over_and_given_up_as_it_is_kept(replica: Replica) -> None:
    index = replica.service.shop.retrieval.pictures
    assert index is not None
    replica.looked_at("milk")
    words = np.zeros(VECTOR_SIZE, np.float32)
    words[0] = 1
    row = replica.service.items.table.row_of["milk"]
    replica.spaces.publish(space(EncoderProfile.ENGLISH).document)
    replica.feed.follow()
    assert index.shown_for(words, 5).tolist() == [row]
    replica.spaces.roll_back()
    replica.feed.follow()
    assert index.shown_for(words, 5).tolist() == []


@pytest.mark.parametrize("change", [{"profile": "multilingual"}, {"picture_encoder": "old"}])
def test_a_space_of_other_encoders_is_not_used(replica: Replica, change: dict[str, str]) -> None:
    index = replica.service.shop.retrieval.pictures
    assert index is not None
    replica.looked_at("milk")
    replica.spaces.publish({**space(EncoderProfile.ENGLISH).document, **change})
    replica.feed.follow()
    assert index.shown_for(np.ones(VECTOR_SIZE, np.float32), 5).tolist() == []


def space(profile: EncoderProfile) -> JointSpace:
    """One in which the first number of a text and of a picture are the same thing."""
    text = np.eye(VECTOR_SIZE, 2, dtype=np.float32)
    picture = np.eye(PICTURE_VECTOR_SIZE, 2, dtype=np.float32)
    zeros = np.zeros(VECTOR_SIZE, np.float32), np.zeros(PICTURE_VECTOR_SIZE, np.float32)
    return JointSpace(text, zeros[0], picture, zeros[1], (10.0, -5.0), profile)
