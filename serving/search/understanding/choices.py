"""Brands, categories and values that a sentence names: required where it says so, else leanings."""

import re

from serving.search.understanding.fillers import Fillers
from serving.search.understanding.names import Mention, Name, Names
from serving.search.understanding.sentence import HAN, Sentence
from serving.search.understanding.wishes import NotUsed, Wanted, Why, Wish

COLOURS = ("color", "colour", "farbe", "颜色")
SIZES = ("size", "grösse", "groesse", "尺码", "尺寸", "码")
_OTHERS = ("material", "flavor", "flavour", "scent", "材质", "口味", "香型")
ATTRIBUTE_NAMES = (*COLOURS, *SIZES, *_OTHERS)

# In front of a name, or behind it: no other one will do. Those of _BRAND also hold for a name that
# is an ordinary word as well: "by Apple".
_BRAND = re.compile(
    r"(?<![a-z])(?:made by|by|(?:of |from )?(?:the )?brands?(?: is| are)?:?|(?:der |die "
    r"|von der )?marken?:?)\s?$"
    r"|(?:品牌|牌子)(?:是|为|要)?:?\s?$"
)
_BRAND_BEHIND = re.compile(r"\s?(?:brand|marke)(?![a-z])|\s?(?:品牌|牌子|牌)")
_ONLY = re.compile(
    r"(?<!not )(?<!nicht )(?<![a-z])(?:only|nothing but|must be|nur|ausschliesslich)\s$"
    r"|(?<!不)(?:只要|只买|只看|仅限|必须是)\s?$"
)
_ONLY_BEHIND = re.compile(r"\s(?:only|nur)(?![a-z])(?!\s+(?:if|when|for|wenn|at))")
_FROM = re.compile(r"(?<![a-z])(?:from|von)\s$")
_CATEGORY = re.compile(
    r"(?<![a-z])(?:(?:the )?category:?|(?:der |die )?kategorie:?)\s?$|(?:类别|分类|品类)(?:是"
    r"|为)?:?\s?$"
)
_CATEGORY_BEHIND = re.compile(
    r"\s(?:category|section|department|aisle|kategorie|abteilung)(?![a-z])|(?:类别|分类|品类"
    r"|类(?![型似]))"
)
_OR = re.compile(r"\s*(?:(?:or|and|oder|und)(?![a-z])|[,/&]|、|和|或者?)\s*")
# The words before that say a name is liked: then it lifts, however it is written.
_LIKED = re.compile(
    r"(?<!n't )(?<!not )(?<![a-z])(?:likes?|loves?|prefers?|preferably|ideally"
    r"|favou?rite(?: brand)?(?: is)?|fan of|mag|mags|liebt"
    r"|bevorzugt|am liebsten|lieber)\s(?:the |die |das )?$|(?<!不)(?:喜欢|最爱|偏爱|最好是?)\s?$"
)
# The clause tells of what was, or of what somebody has.
_HISTORY = re.compile(
    r"(?<![a-z])(?:already|bought|had|has|have|owns?|got|gave|used to|usually|before|last (?:year"
    r"|time|week)|instead of"
    r"|like (?:the|a|those) (?:one|ones)|goes with|to go with|matching my|similar to|schon|bereits"
    r"|gekauft|hatten?|habe"
    r"|besitzt|letztes jahr|passend zu|statt)(?![a-z])|已经|买过|用过|有了|以前|之前|搭配|类似|代替"
)
_SIZE = re.compile(
    r"(?<![a-z])(?:size|gr(?:ö|oe)sse|gr\.)\s?:?\s?(?P<before>[a-z0-9][a-z0-9./-]*)(?![a-z0-9])"
    rf"|(?:尺码|尺寸)\s?:?(?P<han>[a-z0-9]+)|(?P<behind>\d+|[smlx]+)\s?(?:码|号)(?![{HAN}]*[机线])"
)


def size_wishes(sentence: Sentence, names: Names) -> tuple[list[Wish], list[NotUsed]]:
    """ "size 42", "Größe M", "42码"; the number is no price and no name."""
    wishes: list[Wish] = []
    not_used: list[NotUsed] = []
    for match in _SIZE.finditer(sentence.plain):
        if not sentence.is_free(*match.span()):
            continue
        sentence.take(*match.span())
        words = sentence.quote(*match.span())
        value = match["before"] or match["han"] or match["behind"]
        name = names.value_of(SIZES, value)
        if name is None:
            not_used.append(NotUsed(words, Why.NOT_IN_CATALOGUE))
        else:
            wishes.append(Wish(Wanted.ATTRIBUTE, words, name=name.name, values=name.values))
    return wishes, not_used


class Choices:
    """Reads them in one catalogue."""

    def __init__(self, names: Names, fillers: Fillers) -> None:
        self._names = names
        self._is_filler = fillers

    def read(self, sentence: Sentence) -> list[Wish]:
        """What is named; the sentence's parts are taken where they were understood."""
        wishes: list[Wish] = []
        before: Mention | None = None
        chosen: Wish | None = None  # what `before` was taken for
        for mention in self._names.find(sentence):
            start, end = sentence.clause_of(mention.start)
            if _HISTORY.search(sentence.plain[start:end]):
                continue
            joined = before is not None and _OR.fullmatch(
                sentence.plain[before.end : mention.start]
            )
            wish = self._required(sentence, mention)
            if wish is None and joined and chosen is not None:
                wish = _another(sentence, mention, chosen)
            wish = wish or self._leaning(sentence, mention)
            before, chosen = mention, wish
            if wish is not None:
                wishes.append(wish)
                sentence.take(mention.start, mention.end)
        return wishes

    def _required(self, sentence: Sentence, mention: Mention) -> Wish | None:
        start, end = sentence.clause_of(mention.start)
        front, back = sentence.plain[start : mention.start], sentence.plain[mention.end : end]
        brand, category = mention.of(Wanted.BRAND), mention.of(Wanted.CATEGORY)
        only = _ONLY.search(front) or _ONLY_BEHIND.match(back)
        if brand is not None:
            cue = _BRAND.search(front) or _BRAND_BEHIND.match(back)
            if cue is None and not self._names.is_ordinary_word(brand):
                cue = only or _FROM.search(front)
            if cue is not None:
                return _required(sentence, mention, brand, cue, front)
        if category is not None:
            cue = _CATEGORY.search(front) or _CATEGORY_BEHIND.match(back)
            if cue is None and self._ends(sentence, mention.end, end):
                cue = only
            if cue is not None:
                return _required(sentence, mention, category, cue, front)
        return None

    def _leaning(self, sentence: Sentence, mention: Mention) -> Wish | None:
        start, _ = sentence.clause_of(mention.start)
        words = sentence.quote(mention.start, mention.end)
        if self._is_filler.is_no_thing(sentence.plain[mention.start : mention.end]):
            return None  # "I don't care", where Care is a category
        attribute, brand = mention.of(Wanted.ATTRIBUTE), mention.of(Wanted.BRAND)
        category = mention.of(Wanted.CATEGORY)
        if brand is not None and not self._names.is_ordinary_word(brand):
            liked = _LIKED.search(sentence.plain[start : mention.start]) is not None
            spaced = re.match(f"[{HAN}]", sentence.plain[mention.start]) is None
            if liked or not spaced or sentence.is_capital(mention.start):
                return Wish(Wanted.BRAND, words, values=brand.values)
        if attribute is not None and attribute.name not in SIZES:  # "large" is many things
            return Wish(Wanted.ATTRIBUTE, words, name=attribute.name, values=attribute.values)
        if category is not None:
            return Wish(Wanted.CATEGORY, words, values=category.values)
        return None

    def _ends(self, sentence: Sentence, at: int, end: int) -> bool:
        """Whether no noun follows: of "only milk chocolate", milk is not what is wanted."""
        following = next(sentence.free_words(at, end), None)
        return following is None or self._is_filler(following.text)


def _required(
    sentence: Sentence, mention: Mention, name: Name, cue: re.Match[str], front: str
) -> Wish:
    """With the words that say so."""
    if cue.string is front:
        start, end = mention.start - len(front) + cue.start(), mention.end
    else:
        start, end = mention.start, mention.end + cue.end()
    sentence.take(start, end)
    return Wish(name.wanted, sentence.quote(start, end), True, values=name.values)


def _another(sentence: Sentence, mention: Mention, chosen: Wish) -> Wish | None:
    """ "only Nike or Adidas": the second is chosen as the first was."""
    name = mention.of(chosen.wanted)
    if name is None or (name.name != chosen.name and chosen.wanted is Wanted.ATTRIBUTE):
        return None
    words = sentence.quote(mention.start, mention.end)
    return Wish(chosen.wanted, words, chosen.required, name.name, name.values)
