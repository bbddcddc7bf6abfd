"""At most three reasons for an item, in words.

What the shop's rules and chance did to it comes first, then what was asked for, then the facts of
those families that add to its score, by how much more they add than to the mean item of the slate.
Of a family one fact is told. A family that does not add to the score is no reason.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from serving.models.columns.families import Family
from serving.ranking.explaining.facts import Fact
from serving.ranking.explaining.phrases import LANGUAGES, phrase
from serving.ranking.slate.exploration import DRAWN, HARDLY_SEEN
from serving.ranking.slate.moves import FLOOR
from serving.types import Cause

MOST = 3
# What the rules note of an item (serving/ranking/slate/moves.py), and the phrase for it.
_NOTES = (
    (re.compile(r"pin at \d+: (?P<why>.*)"), "pin"),
    (re.compile(r"sponsored boost [^:]*: (?P<why>.*)"), "sponsored"),
    (re.compile(r"boost \+[^:]*: (?P<why>.*)"), "boost"),
    (re.compile(r"boost -[^:]*: (?P<why>.*)"), "back"),
    (re.compile(r"bury: (?P<why>.*)"), "back"),
    (re.compile(r"fatigue [^:]*: shown (?P<times>\d+) times"), "fatigue"),
    *(
        (re.compile(rf"looks [^:]*: like (?P<title>.*), {done}$"), f"looks_{done.value}")
        for done in Cause
    ),
    (re.compile(FLOOR), "floor"),
    (re.compile(r"hidden by the shopper"), "hidden"),
)


def language_of(locale: str | None, shop: str) -> str:
    """One of LANGUAGES: the request's, else the shop's, else English."""
    asked = (locale or "").replace("_", "-").partition("-")[0].lower()
    return next((one for one in (asked, shop) if one in LANGUAGES), LANGUAGES[0])


def reasons(
    facts: Sequence[Fact],
    notes: Sequence[str],
    weights: Mapping[Family, float] | None,
    language: str,
) -> tuple[str, ...]:
    """weights: what each family adds to the score, less what it adds to the mean item; families
    that do not add are left out; None: unknown, then facts are told in their order."""
    new = next((fact for fact in facts if fact.key == "new"), None)
    told = list(_of_notes(notes, new, language))
    if any(note in (HARDLY_SEEN, DRAWN) for note in notes):
        facts = [fact for fact in facts if fact is not new]  # told already, or beside the point
    asked = [fact for fact in facts if fact.family is Family.QUERY_MATCH]
    others = [fact for fact in facts if fact.family is not Family.QUERY_MATCH]
    if weights is not None:
        others = [fact for fact in others if fact.family in weights]
        others.sort(key=lambda fact: -weights[fact.family])
    once: dict[Family, Fact] = {}
    for fact in (*asked, *others):
        once.setdefault(fact.family, fact)
    told += [phrase(language, fact.key, **fact.given) for fact in once.values()]
    return tuple(dict.fromkeys(told))[:MOST]


def _of_notes(notes: Sequence[str], new: Fact | None, language: str) -> Iterator[str]:
    for note in notes:
        if note == HARDLY_SEEN and new is not None:
            yield phrase(language, "new_explored", **new.given)
        elif note in (HARDLY_SEEN, DRAWN):
            yield phrase(language, "explored" if note == HARDLY_SEEN else "drawn")
        for form, key in _NOTES:
            if match := form.fullmatch(note) or form.match(note):
                given = match.groupdict()
                if "times" in given:
                    yield phrase(language, key, times=int(given["times"]))
                else:
                    yield phrase(language, key, **given)
                break
