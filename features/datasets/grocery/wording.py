"""Other ways to type the same words: one slip of the fingers, the other number."""

import random
import re
from collections.abc import Collection

# Letters beside each other on an American keyboard.
NEIGHBOURS: dict[str, str] = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok",
    "o": "ipl", "p": "ol", "a": "qsz", "s": "adw", "d": "sfe", "f": "dgr", "g": "fht", "h": "gjy",
    "j": "hku", "k": "jli", "l": "ko", "z": "xa", "x": "zc", "c": "xvd", "v": "cbf", "b": "vng",
    "n": "bmh", "m": "nj",
}  # fmt: skip
SLIPS = ("swap", "drop", "double", "neighbour")
MIN_LETTERS = 4  # of a word before and after the slip: less would leave too little of it
REAL_WORDS = frozenset({"past", "bran", "star", "pares", "plumes", "lines"})  # no slips then
_ENDS = {"cookies": "cookie", "brownies": "brownie", "pies": "pie", "knives": "knife"}
# What nobody types in the other number, or what would then be another thing.
ONE_NUMBER = frozenset(
    {
        "french fries",
        "grits",
        "cleaning wipes",
        "baby wipes",
        "cotton swabs",
        "jello",
        "hash browns",
        "snack cakes",
        "bread crumbs",
        "mints",  # "mint" is a herb
        "spices",
    }
)
COUNTABLE = frozenset(
    {
        "watermelon", "cantaloupe", "pineapple", "avocado", "mango", "pizza", "frozen pizza", "pie",
        "pie crust", "soda", "energy drink", "sports drink", "drink mix", "beer", "wine", "soup",
        "yogurt", "toothbrush", "sweetener", "candy", "salad mix", "cake mix", "newspaper",
        "air freshener", "deodorant", "salad dressing", "pasta sauce", "chip dip",
        "coffee creamer", "shampoo", "cereal", "juice", "sausage", "breakfast sausage",
        "stain remover", "whole chicken", "chicken breast",
    }
)  # fmt: skip


def misspelt(query: str, known: Collection[str], rng: random.Random) -> str | None:
    """`query` with one slip in one word; None where every slip tried means another of `known`.

    A slip that is one edit away from a known word of another meaning is none: nobody could tell
    which was meant. The first letter stays, for slips there are rare.
    """
    words = query.split()
    long = [place for place, word in enumerate(words) if len(word) >= MIN_LETTERS]
    if not long:
        return None
    for _ in range(40):
        place = rng.choice(long)
        word = words[place]
        wrong = _slip(word, rng)
        if len(wrong) < MIN_LETTERS or wrong == word or wrong in REAL_WORDS:
            continue
        others = [one for one in known if one != word and singular(one) != singular(word)]
        if not any(one_edit(wrong, one) for one in others):
            return " ".join([*words[:place], wrong, *words[place + 1 :]])
    return None


def one_edit(a: str, b: str) -> bool:
    """Whether `a` is `b`, or becomes it by one letter more, less or other, or by one swap."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    a, b = a[start:], b[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[1::-1] + a[2:] == b and len(a) > 1)


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word))
    match rng.choice(SLIPS):
        case "swap":
            at = min(at, len(word) - 2)
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case "drop":
            return word[:at] + word[at + 1 :]
        case "double":
            return word[: at + 1] + word[at:]
        case _:
            return word[:at] + rng.choice(NEIGHBOURS.get(word[at], word[at])) + word[at + 1 :]


def other_number(query: str) -> str | None:
    """The singular of a plural or the plural of a singular; None where nobody would type it."""
    head, _, last = query.rpartition(" ")
    if query in ONE_NUMBER:
        return None
    if query in COUNTABLE:
        changed = _plural(last)
    elif singular(last) != last:
        changed = singular(last)
    else:
        return None
    return f"{head} {changed}".strip()


def singular(word: str) -> str:
    """The word without a plural's ending; itself where it has none."""
    if word in _ENDS:
        return _ENDS[word]
    if not word.endswith("s") or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if re.search(r"(o|ch|sh|x|ss)es$", word) else word[:-1]


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh", "o")) else "s")
