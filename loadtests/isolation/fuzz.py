"""Names that might lead out of a shop: those of the other one, as they are and bent."""

import random
from collections.abc import Sequence

from loadtests.isolation.shops import OwnShop


def fuzzed(other: OwnShop, own: OwnShop, n: int, seed: int) -> list[str]:
    """`n` names, each once: first those of the other shop that are not withheld, then bent ones."""
    rng = random.Random(seed)
    kept = {*own.ids, *other.withheld}
    known = [name for name in other.ids if name not in kept]
    names = dict.fromkeys(known)
    while len(names) < n:
        name = _bent(rng.choice(known), other, rng)[:128]
        if name and name not in kept:
            names[name] = None
    return list(names)[:n]


def _bent(name: str, other: OwnShop, rng: random.Random) -> str:
    place = rng.randrange(len(name) + 1)
    filling = rng.choice(FILLINGS)
    return rng.choice(
        (
            f"{other.name}:{name}",
            f"{other.name}/{name}",
            f"../{other.name}/{name}",
            f"{{vitrine}}:shops:{other.name}:{name}",
            f"vitrine_{other.name}_{name}",
            name[:place] + filling + name[place:],
            name[:place] + filling,
            f"{other.word} {name[:8]}",
            name.upper() + rng.choice(FILLINGS),
            name[::-1],
            "".join(rng.choice("0123456789abcdef") for _ in range(rng.choice((8, 16, 32, 64)))),
        )
    )


FILLINGS: Sequence[str] = (
    "*", "?", "%", "_", "'", '"', ";--", "\\", "\x00", "\n", "\u202e", "é", "🙂", "/", "..", ":",
    "{", "}", "$where", "[a-z]", "\t", "|", "&", "#", "=", " OR 1=1", "${jndi}", "\u0000shops",
)  # fmt: skip
