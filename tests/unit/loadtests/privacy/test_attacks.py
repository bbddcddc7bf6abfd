"""What tells two groups apart, and what does not."""

import numpy as np

from features.behavior.replay import item_table
from loadtests.privacy.attacks import area, attack
from loadtests.privacy.membership import losses
from loadtests.privacy.reconstruction import beside
from serving.training.data.baskets import baskets, next_basket_cases
from serving.training.data.cases import Draw
from serving.training.data.slate_building import build_slates
from tests.support.tiny_shop import tiny_shop


def test_the_area_is_the_share_of_pairs_in_the_right_order_and_ties_are_half() -> None:
    assert area(np.array([3.0, 1.0]), np.array([0.0, 2.0])) == 0.75
    assert area(np.array([1.0]), np.array([1.0, 1.0])) == 0.5


def test_noise_tells_nothing_and_a_shift_tells_what_its_size_says() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 4_000)).astype(np.float32)
    guess = attack("guess", noise[0], noise[1])
    assert guess.auc[1] < 0.5 < guess.auc[2]
    assert 0.004 < guess.found < 0.02
    # Two normals a deviation apart: the area is Phi(1 / sqrt(2)).
    shifted = attack("shift", noise[0] + 1, noise[1])
    assert abs(shifted.auc[0] - 0.760) < 0.02
    assert shifted.found > 0.05


def test_a_basket_that_leads_its_slate_has_a_smaller_loss() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    chosen = baskets(shop, items)[-20:]
    cases = next_basket_cases(chosen, [Draw(uniform=10)], np.random.default_rng(0), 0.0)
    slates = build_slates(shop, items, cases, seed=0)
    knowing = losses(slates, slates.labels * 3)
    guessing = losses(slates, np.zeros_like(slates.labels))
    assert (knowing < guessing).all()
    sizes = np.diff(slates.offsets)
    assert np.allclose(guessing, np.log(sizes), atol=1e-5)
    assert np.allclose(losses(slates, slates.labels * 3 + 7), knowing, atol=1e-5)


def test_what_stands_beside_a_history_was_never_bought_and_sells_as_well() -> None:
    by_sales = np.random.default_rng(1).permutation(200)
    owned = np.sort(by_sales[[0, 1, 2, 50, 51, 199]])
    rows, labels = beside(owned, by_sales, np.random.default_rng(0))
    assert set(rows[labels == 1].tolist()) == set(owned.tolist())
    others = rows[labels == 0]
    assert len(set(others.tolist())) == len(owned)
    assert not set(others.tolist()) & set(owned.tolist())
    place = {int(row): index for index, row in enumerate(by_sales)}
    apart = [abs(place[int(a)] - place[int(b)]) for a, b in zip(rows[:6], others, strict=True)]
    assert max(apart) <= 5
