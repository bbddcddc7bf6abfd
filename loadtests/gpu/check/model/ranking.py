"""Head, forest, and the whole ranker in PyTorch: a batch of requests to scores on one device."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loadtests.gpu.check.model.matches import text_matches

Constants = Mapping[str, npt.NDArray[Any]]


class Head(nn.Module):
    """The neural head: features float32 (R, n) with NaN to scores float32 (R,).

    The precision is that of the layers' products; scaling is float32, as features are counts and
    days beyond what float16 tells apart.
    """

    def __init__(self, constants: Constants, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        for name in ("mean", "std", "low", "high", "match"):
            self.register_buffer(name, torch.tensor(constants[f"head.{name}"]))
        for layer in ("first", "second", "last"):
            for part in ("weight", "bias"):
                values = torch.tensor(constants[f"head.{layer}.{part}"]).to(dtype)
                self.register_buffer(f"{layer}_{part}", values)

    def forward(self, features: Tensor) -> Tensor:
        """Scores (R,)."""
        unknown = features.isnan()
        scaled = (features - self.get_buffer("mean")) / self.get_buffer("std")
        scaled = scaled.masked_fill(unknown, 0.0)
        scaled = scaled.clamp(self.get_buffer("low"), self.get_buffer("high"))
        states = torch.cat([scaled, unknown.float()], 1).to(self.dtype)
        for layer in ("first", "second"):
            states = torch.relu(self._dense(layer, states))
        matched = scaled @ self.get_buffer("match")
        return (self._dense("last", states).float() + matched).squeeze(1)

    def _dense(self, layer: str, states: Tensor) -> Tensor:
        return nn.functional.linear(
            states, self.get_buffer(f"{layer}_weight"), self.get_buffer(f"{layer}_bias")
        )


class Forest(nn.Module):
    """The trees: features float32 (R, n) with NaN to scores float32 (R,).

    All trees of all rows go down a level at a time; a leaf leads to itself. Thresholds are float32,
    whatever the precision: rounding them would send rows to the other branch.
    """

    def __init__(self, constants: Constants) -> None:
        super().__init__()
        for name in ("feature", "threshold", "below", "above", "unknown", "leaf", "roots"):
            self.register_buffer(name, torch.tensor(constants[f"forest.{name}"]))
        self.depth = int(constants["forest.depth"])

    def forward(self, features: Tensor) -> Tensor:
        """Scores (R,)."""
        at = self.get_buffer("roots").expand(len(features), -1)
        for _ in range(self.depth):
            value = features.gather(1, self.get_buffer("feature")[at])
            down = value <= self.get_buffer("threshold")[at]
            after = torch.where(down, self.get_buffer("below")[at], self.get_buffer("above")[at])
            at = torch.where(value.isnan(), self.get_buffer("unknown")[at], after)
        return self.get_buffer("leaf")[at].sum(1)


class Requests(NamedTuple):
    """A batch of k requests, padded with zeros; item 0 of the table of vectors is no item.

    tokens int64 (k, width) of the query; candidates (k, n), user, session, bought (k, any): rows of
    the table; counts int64 (k, 3): of user, session, bought; purchases float32 (k, n_bought, 3);
    features float32 (k, n, n_features)
    """

    tokens: Tensor
    candidates: Tensor
    user: Tensor
    session: Tensor
    bought: Tensor
    counts: Tensor
    purchases: Tensor
    features: Tensor

    def to(self, device: torch.device) -> "Requests":
        """On another device."""
        return Requests(*(tensor.to(device) for tensor in self))

    def first(self, k: int) -> "Requests":
        """Of the first `k` requests."""
        return Requests(*(tensor[:k] for tensor in self))


class Scorer(nn.Module):
    """Features and matches of candidates to scores: head and forest, standardised and weighted."""

    def __init__(self, constants: Constants, about: Mapping[str, Any], dtype: torch.dtype) -> None:
        super().__init__()
        kinds = {"head": lambda: Head(constants, dtype), "forest": lambda: Forest(constants)}
        self.members = nn.ModuleDict({name: kinds[name]() for name in about["blend"]})
        self.blend = about["blend"]
        names = [*about["feature_names"], *about["text_feature_names"]]
        given = np.zeros(len(names), bool)
        fixed = np.zeros(len(names), np.float32)
        for name, value in about["unlearnt"].items():
            given[names.index(name)] = True
            fixed[names.index(name)] = np.nan if value is None else value
        self.register_buffer("given", torch.tensor(given))
        self.register_buffer("fixed", torch.tensor(fixed))

    def forward(self, features: Tensor) -> Tensor:
        """Scores (R,) of features and matches (R, F + T)."""
        features = torch.where(self.get_buffer("given"), self.get_buffer("fixed"), features)
        scores = features.new_zeros(len(features))
        for name, member in self.members.items():
            part = self.blend[name]
            scores = scores + part["weight"] / part["std"] * (member(features) - part["mean"])
        return scores


class Ranking(nn.Module):
    """Requests to scores; what is known of items lies in `table` float16 (n, d), on the device."""

    def __init__(self, tower: nn.Module, scorer: Scorer, table: Tensor) -> None:
        super().__init__()
        self.tower = tower
        self.scorer = scorer
        self.register_buffer("table", table)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Scores float32 (k, n) of the tensors of Requests."""
        asked = Requests(*tensors)
        has_query = asked.tokens.any(dim=1)
        mask = asked.tokens != 0
        # A request without a query is given one token, and its vector is not looked at.
        mask[:, 0].fill_(True)
        query = self.tower(asked.tokens, mask).half().float()  # as it is remembered
        return self.scores(asked, query, has_query)

    def scores(self, asked: Requests, query: Tensor, has_query: Tensor) -> Tensor:
        """The same with the queries' vectors (k, d) given."""
        table = self.get_buffer("table")
        items, user, session, bought = (
            table[rows].float()
            for rows in (asked.candidates, asked.user, asked.session, asked.bought)
        )
        matches = text_matches(
            items, query, has_query, (user, session), bought, asked.counts, asked.purchases
        )
        features = torch.cat([asked.features, matches], 2)
        scores: Tensor = self.scorer(features.flatten(0, 1))
        return scores.reshape(features.shape[:2])
