"""Whether a ranker's scores tell which baskets it was trained on.

Training draws a part of the baskets of its period. The others of the same weeks and households were
never seen: they differ from the drawn ones in nothing but that. Whoever attacks is given much: the
basket, the state of its shopper and the scores of a whole slate.
"""

import numpy as np
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.replay import item_table
from features.datasets.format import Dataset
from loadtests.privacy.attacks import Attack, attack
from serving.training.data.baskets import Basket, baskets, next_basket_cases
from serving.training.data.cases import Case
from serving.training.data.plans import BEGUN_SHARE, NEXT_BASKET_DRAWS, make_plan
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates
from serving.training.evaluate import baselines
from serving.training.evaluate.int8_vectors import int8_vectors
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns, split_vectors, text_columns
from serving.training.fit.forest import ForestOptions

REFERENCE = 1_500  # baskets of others that the attacker's own ranker is fitted on


def membership(
    dataset: Dataset, bundle: Bundle, n_cases: int, seed: int, progress: Progress
) -> list[Attack]:
    """Attacks on `n_cases` baskets of training and as many of the same weeks that are none.

    Raises ValueError for a bundle that was not trained on next baskets of this data set.
    """
    items = item_table(dataset)
    options = bundle.training["options"]
    plan = make_plan(dataset, items, int(options["seed"]), int(options["n_train"]))
    if plan.task != "next_basket" or bundle.training["test_from_s"] != plan.test_from_s:
        raise ValueError(f"{bundle.folder}: not trained on next baskets of {dataset.info.name}")
    rng = np.random.default_rng(seed)
    inside = {_key(case): case for case in plan.train}
    first_s, last_s = plan.train[0].at_s, plan.train[-1].at_s
    period = [b for b in baskets(dataset, items) if first_s <= b.at_s <= last_s]
    members = _some([b for b in period if _key(b) in inside], n_cases, rng)
    others = _some([b for b in period if _key(b) not in inside], n_cases + REFERENCE, rng)
    if len(others) < n_cases + REFERENCE:
        raise ValueError(f"{bundle.folder}: was trained on nearly all baskets of its period")
    parts = {
        "own": [inside[_key(basket)] for basket in members],
        "members": next_basket_cases(members, NEXT_BASKET_DRAWS, rng, BEGUN_SHARE),
        "others": next_basket_cases(others[:n_cases], NEXT_BASKET_DRAWS, rng, BEGUN_SHARE),
        "reference": next_basket_cases(others[n_cases:], NEXT_BASKET_DRAWS, rng, BEGUN_SHARE),
    }
    cases = [case for part in parts.values() for case in part]
    slates = build_slates(dataset, items, cases, seed, progress, plan.refresh_s)
    ends = np.cumsum([len(part) for part in parts.values()])
    of = {
        name: slates.take(np.arange(end - len(parts[name]), end))
        for name, end in zip(parts, ends.tolist(), strict=True)
    }
    texts = [item.ranker_text for item in items.items]
    vectors = split_vectors(int8_vectors(bundle.folder, texts, bundle.training["max_tokens"]), [])
    reference = baselines.lambdamart(
        of["reference"], text_columns(of["reference"], *vectors), seed, ForestOptions(threads=2)
    )
    # The larger, the better the ranker knew the basket: minus its loss.
    known = {n: -losses(s, bundle.scores(columns(s, *vectors))) for n, s in of.items()}
    usual = {n: -losses(s, reference(s, text_columns(s, *vectors))) for n, s in of.items()}
    return [
        attack("the loss, other candidates than in training", known["members"], known["others"]),
        attack("the loss, the very slate of training", known["own"], known["others"]),
        attack(
            "the loss beside that of a ranker of one's own, the very slate",
            known["own"] - usual["own"],
            known["others"] - usual["others"],
        ),
    ]


def losses(slates: Slates, scores: FloatArray) -> FloatArray:
    """Cross-entropy of the wanted among the candidates of each slate, of scores (R,): (n,)."""
    out = np.empty(len(slates), np.float64)
    for index in range(len(slates)):
        part = slates.part(index)
        raw = scores[part].astype(np.float64)
        log_share = raw - raw.max() - np.log(np.exp(raw - raw.max()).sum())
        out[index] = -log_share[slates.labels[part] > 0].mean()
    return out.astype(np.float32)


def _key(of: Basket | Case) -> tuple[str, int]:
    return of.user_id, of.position


def _some(found: list[Basket], most: int, rng: np.random.Generator) -> list[Basket]:
    return [found[index] for index in np.sort(rng.permutation(len(found))[:most]).tolist()]
