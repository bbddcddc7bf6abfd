"""For whom it is: "for a ten-year-old", "für meine Mutter", "送给妈妈"."""

import re
from dataclasses import dataclass

from serving.search.understanding.names import Name, Names
from serving.search.understanding.numbers import LONGEST_FIRST, NUMBER, number
from serving.search.understanding.sentence import HAN, Sentence
from serving.search.understanding.wishes import NotUsed, Wanted, Why, Wish

# Names of attributes that tell it, folded.
AUDIENCE_NAMES = (
    "gender", "target gender", "target_gender", "age group", "age_group", "agegroup", "audience",
    "geschlecht", "altersgruppe", "zielgruppe", "性别", "适用人群", "适用年龄", "人群",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Group:
    """people: words for them in a sentence; labels: values and categories of catalogues."""

    people: str
    labels: tuple[str, ...]


_GROUPS = {
    "baby": _Group(
        r"bab(?:y|ies)|infants?|newborns?|toddlers?|säuglinge?|kleinkind(?:er)?|婴儿|宝宝|幼儿"
        r"|婴幼儿",
        ("baby", "babies", "infant", "newborn", "toddler", "säugling", "婴儿", "婴幼儿", "宝宝"),
    ),
    "kids": _Group(
        r"kids?|child(?:ren)?|boys?|girls?|kind(?:er|ern)?|jungen?|mädchen|儿童|孩子|小孩|小朋友"
        r"|男孩|女孩",
        ("kids", "kid", "children", "child", "kinder", "kind", "儿童", "童装", "孩子"),
    ),
    "women": _Group(
        r"wom[ae]n|lad(?:y|ies)|mother|mom|mum|wife|girlfriend|sister|grandmother|grandma"
        r"|frau(?:en)?"
        r"|damen|mutter|mama|schwester|oma|女士|女性|女人|妈妈|母亲|妻子|老婆|女朋友|女友|奶奶"
        r"|姐姐|妹妹",
        (
            "women",
            "woman",
            "female",
            "ladies",
            "damen",
            "frauen",
            "女",
            "女士",
            "女性",
            "女装",
            "女款",
        ),
    ),
    "men": _Group(
        r"m[ae]n|gentlem[ae]n|father|dad|husband|boyfriend|brother|grandfather|grandpa|mann|männer"
        r"|herren"
        r"|vater|papa|bruder|opa|男士|男性|男人|爸爸|父亲|丈夫|老公|男朋友|男友|爷爷|哥哥|弟弟",
        ("men", "man", "male", "herren", "männer", "男", "男士", "男性", "男装", "男款"),
    ),
}
LABELS = frozenset(label for group in _GROUPS.values() for label in group.labels)
_OWN = (
    r"(?:(?:a|an|the|my|our|his|her|their|de[nmr]|die|das|meine?[nmr]?|unsere?[nmr]?|seine?[nmr]?"
    r"|ihre?[nmr]?|eine?[nmr]?|little|small|young|kleine[nmrs]?) )*"
)
_FOR = re.compile(
    rf"(?<![a-z])(?:for|für) {_OWN}(?:(?P<spaced>"
    + "|".join(f"(?P<{name}>{group.people})" for name, group in _GROUPS.items())
    + rf"))(?![a-zäöü{HAN}])|(?:给|送给?|适合)(?:我|我们)?(?:的|家)?(?P<han>"
    + "|".join(f"(?P<{name}_han>{group.people})" for name, group in _GROUPS.items())
    + r")(?:用|的)?"
)
_AGE = re.compile(
    rf"(?:(?<![a-z])(?:for|für) {_OWN}|给|送给?"
    rf"|适合)?(?:(?<![a-zäöü])(?P<joined>{LONGEST_FIRST})jährige[nmrs]?(?: (?:jungen?|mädchen"
    rf"|kind(?:es)?))?|(?P<years>{NUMBER})(?:[ -]years?[ -]olds?|[ -]?jährige[nmrs]?"
    r"| jahre? alt(?:e[nmrs]?)?|岁)(?:的?(?:[ ]?(?:boy|girl|kid|child|son|daughter|junge[n]?"
    r"|mädchen"
    r"|kind|孩子|男孩|女孩|小孩|儿童|宝宝))?(?:用)?)?)"
    r"|(?<![a-z])age[sd]? (?P<aged>\d{1,3})(?!\d)"
)
# The oldest of each group, in years; who is older is no group that catalogues name.
_OLDEST = ((2, "baby"), (12, "kids"))


def audience_wishes(sentence: Sentence, names: Names) -> tuple[list[Wish], list[NotUsed]]:
    """What lifts items that are made for them, where the catalogue says so of any."""
    wishes: list[Wish] = []
    not_used: list[NotUsed] = []
    for start, end, group in _groups(sentence):
        words = sentence.quote(start, end)
        sentence.take(start, end)
        found = [] if group is None else _labelled(names, _GROUPS[group].labels)
        for name in found:
            wishes.append(Wish(Wanted.AUDIENCE, words, name=name.name, values=name.values))
        if not found:
            not_used.append(NotUsed(words, Why.NOT_IN_CATALOGUE))
    return wishes, not_used


def _groups(sentence: Sentence) -> list[tuple[int, int, str | None]]:
    found: list[tuple[int, int, str | None]] = []
    for match in _AGE.finditer(sentence.plain):
        if sentence.is_free(*match.span()):
            years = number(match["joined"] or match["years"] or match["aged"])
            group = None if years is None else next((g for age, g in _OLDEST if years <= age), None)
            found.append((*match.span(), group))
            sentence.take(*match.span())
    for match in _FOR.finditer(sentence.plain):
        if sentence.is_free(*match.span()):
            group = next(name for name in _GROUPS if match[name] or match[f"{name}_han"])
            found.append((*match.span(), group))
    return sorted(found)


def _labelled(names: Names, labels: tuple[str, ...]) -> list[Name]:
    """The attributes and categories of the catalogue that have one of these labels."""
    found: dict[tuple[str, str], Name] = {}
    for label in labels:
        for name in names.called(label):
            if name.wanted is Wanted.ATTRIBUTE and name.name in AUDIENCE_NAMES:
                key = (name.name, "")
            elif name.wanted is Wanted.CATEGORY:
                key = ("", "")
            else:
                continue
            before = found.get(key)
            values = name.values if before is None else (*before.values, *name.values)
            found[key] = Name(name.wanted, tuple(dict.fromkeys(values)), name.name)
    return list(found.values())
