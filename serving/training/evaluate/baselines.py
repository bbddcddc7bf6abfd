"""The rankings that ours is compared with; each scores the candidates of slates, (R,)."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import CosineRecommender

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN
from features.behavior.neighbors import Interactions
from features.catalog.table import ItemTable
from serving.ranking.cold_start import cold_start_scores
from serving.ranking.values import FeatureMatrix
from serving.shops.rules import ColdStartRules
from serving.training.data.slates import Slates
from serving.training.fit.forest import ForestOptions, fit_forest
from serving.training.fit.tuning import TEXT_ALONE

Baseline = Callable[[Slates, FloatArray], FloatArray]  # of slates and zero-shot text columns (R, T)
N_ITEM_NEIGHBORS = 200


def column(name: str) -> Baseline:
    """One behaviour feature as the score; an unknown value comes last."""
    return lambda slates, _: np.nan_to_num(slates.features[:, COLUMN[name]], nan=-1e6)


def bought_before(slates: Slates, _: FloatArray) -> FloatArray:
    """How often the shopper has bought the item; ties by what all shoppers buy."""
    times = np.nan_to_num(slates.features[:, COLUMN["user_times_bought"]])
    return times + 1e-3 * np.nan_to_num(slates.features[:, COLUMN["item_purchase_120d"]])


def text_alone(_: Slates, text: FloatArray) -> FloatArray:
    """Cosine with the query, else the mean of the three best matches in the history."""
    query, user, session = text[:, TEXT_ALONE].T
    history = np.nansum(np.stack([user, session]), axis=0)
    scores: FloatArray = np.where(np.isnan(query), history, query).astype(np.float32)
    return scores


def by_rules(items: ItemTable) -> Baseline:
    """The rules that serving ranks by without the model, with their default settings."""
    rules = ColdStartRules()

    def score(slates: Slates, _: FloatArray) -> FloatArray:
        out = np.zeros(len(slates.item_rows), np.float32)
        for index in range(len(slates)):
            part = slates.part(index)
            rows = slates.item_rows[part]
            out[part] = cold_start_scores(
                FeatureMatrix(
                    rows=rows,
                    values=slates.features[part],
                    category=items.category[rows],
                    brand=items.brand[rows],
                    exposure=np.zeros(len(rows), np.float32),
                ),
                rules,
            ).values
        return out

    return score


def shortlisted(slates: Slates, ours: FloatArray, rules: FloatArray, n: int) -> FloatArray:
    """`ours` for each slate's `n` best by `rules`, with the others behind them.

    So does serving when time is short.
    """
    out = np.empty(len(ours), np.float32)
    for start, end in zip(slates.offsets[:-1].tolist(), slates.offsets[1:].tolist(), strict=True):
        best = np.argsort(-rules[start:end], kind="stable")[:n]
        out[start:end] = rules[start:end] - rules[start:end].max() + ours[start:end].min() - 1.0
        out[start + best] = ours[start + best]
    return out


def item_to_item(taken: Interactions, n_items: int) -> Baseline:
    """Cosine item-to-item of the library implicit, over the shopper's recent items.

    It is fitted on `taken`, what shoppers took before the test period.
    """
    known = taken.shopper >= 0
    n_shoppers = int(taken.shopper.max(initial=0)) + 1
    ones = np.ones(int(known.sum()), np.float32)
    matrix = sp.csr_matrix(
        (ones, (taken.shopper[known], taken.row[known])), shape=(n_shoppers, n_items)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    model = CosineRecommender(K=N_ITEM_NEIGHBORS, num_threads=2)
    model.fit(matrix, show_progress=False)
    similarity = model.similarity.tocsr()

    def score(slates: Slates, _: FloatArray) -> FloatArray:
        out = np.zeros(len(slates.item_rows), np.float32)
        for index in range(len(slates)):
            part = slates.part(index)
            history = slates.user_history[index]
            total = similarity[history[history >= 0]].sum(axis=0)
            out[part] = np.asarray(total).ravel()[slates.item_rows[part]]
        return out

    return score


def lambdamart(
    training: Slates, text: FloatArray | None, seed: int, options: ForestOptions
) -> Baseline:
    """LambdaMART on the behaviour features of `training`, and on zero-shot `text` where given."""
    with_text = text is not None
    features = training.features if text is None else np.concatenate([training.features, text], 1)
    forest = fit_forest(
        features, training.labels, training.weights, training.offsets, seed, options
    )

    def score(slates: Slates, text: FloatArray) -> FloatArray:
        rows = np.concatenate([slates.features, text], 1) if with_text else slates.features
        return np.asarray(forest.predict(rows, num_threads=options.threads), np.float32)

    return score
