"""What a version of the ranker tells of itself, in the parameters of its configuration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from serving.models.columns.families import FAMILIES

VERSION, PUBLISHED, IMPORTANCE = "version", "published", "importance"


@dataclass(frozen=True, slots=True)
class About:
    """version: its number; published: RFC 3339; both None of one of before.

    importance: NDCG@10 that held-out rankings lose without each family, as a share of what they
    have; None: not measured, as of a version without held-out rankings
    """

    version: str | None = None
    published: str | None = None
    importance: Mapping[str, float] | None = None

    def parameters(self) -> dict[str, str]:
        """As `of` takes them."""
        told = {VERSION: self.version, PUBLISHED: self.published}
        if self.importance is not None:
            told[IMPORTANCE] = ",".join(f"{k}:{v:.6f}" for k, v in self.importance.items())
        return {name: value for name, value in told.items() if value is not None}

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        """From parameters; importance that cannot be read is none."""
        return cls(
            parameters.get(VERSION),
            parameters.get(PUBLISHED),
            _importance(parameters.get(IMPORTANCE, "")),
        )


def _importance(text: str) -> dict[str, float] | None:
    found = {}
    for part in text.split(","):
        name, _, value = part.partition(":")
        try:
            found[name] = float(value)
        except ValueError:
            return None
    known = {str(f): found[f] for f in FAMILIES if math.isfinite(found.get(f, math.nan))}
    return known or None
