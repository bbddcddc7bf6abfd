"""The item-to-item tables."""

import numpy as np
import pytest

from features.behavior.neighbors import item_interactions, neighbor_tables
from features.behavior.replay import item_table
from tests.support.tiny_shop import tiny_shop


@pytest.mark.parametrize("n_shoppers", [25, 150])
def test_ease_is_the_closed_form_of_steck_by_either_route(n_shoppers: int) -> None:
    shop = tiny_shop(n_shoppers=n_shoppers, days=60)  # fewer, and more, shoppers than items
    items = item_table(shop)
    interactions = item_interactions(shop.events, items)
    matrix = np.zeros((int(interactions.shopper.max()) + 1, len(items)))
    matrix[interactions.shopper, interactions.row] = 1.0
    inverse = np.linalg.inv(matrix.T @ matrix + 500.0 * np.eye(len(items)))
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)
    table = neighbor_tables(interactions, len(items), k=5)
    for row in (0, 17, 59):
        best = np.sort(weights[:, row])[::-1][:5]
        np.testing.assert_allclose(table.neighbor_weights[row], best, rtol=1e-3)


def test_a_log_without_events_gives_empty_tables_at_once_for_a_catalogue_of_any_size() -> None:
    shop = tiny_shop()
    interactions = item_interactions(shop.events[:0], item_table(shop))
    tables = neighbor_tables(interactions, 300_000, k=2)
    assert tables.neighbors.shape == tables.basket_neighbor_weights.shape == (300_000, 2)
    assert (tables.neighbors == -1).all()
    assert (tables.basket_neighbors == -1).all()
    assert not tables.interaction_counts.any()
