"""What a sentence does not want: "no nuts", "not Nike", "sugar-free", "不要香精", "ohne Zucker"."""

import re
from collections.abc import Iterator, Sequence

from features.arrays import RowArray
from features.catalog.table import ItemTable
from serving.search.understanding.fillers import Fillers
from serving.search.understanding.mentions import Mentions
from serving.search.understanding.names import Names
from serving.search.understanding.sentence import Sentence, Word
from serving.search.understanding.wishes import NotUsed, Wanted, Why, Wish

_MOST_WORDS = 3  # of one unwanted thing
_CUE = re.compile(
    r"(?<![a-z'])(?:(?:don't|do not|doesn't|does not) (?:want|like|need|eat)|can't (?:eat|have"
    r"|stand)"
    r"|cannot (?:eat|have|stand)|hates?|except(?: for)?|excluding|other than|anything but"
    r"|avoid(?:ing)?"
    r"|without|free (?:of|from)|allergic to|nothing (?:by|from|with|containing)|not|no"
    r"|allergisch (?:gegen|auf)|frei von|ausser|ohne|mag kein\w*|kein(?:e[nmrs]?)?|nicht"
    r"|nichts (?:von|mit))"
    r"(?![a-z'])"
    r"(?: (?:any|a|an|by|from|with|made by|made of|containing|of|the brand|von|der marke|marke"
    r"|eine?[nmrs]?|mit)(?![a-zäöü]))*\s?"
    r"|不要(?:含|有|带|买)?|不想要|不含(?:有)?|不加|不带|别要|别买|不喜欢|除了|避免|拒绝"
)
_FREE = re.compile(r"(?<![a-z])(?P<thing>[a-zäöüß]{3,})(?:[- ]free|-?frei)(?![a-z])")
_ALLERGY = re.compile(
    r"对(?P<thing>[\u4e00-\u9fff]{1,4}?)过敏|(?<![a-z])(?P<spaced>[a-z]{3,}) allerg(?:y"
    r"|ies)(?![a-z])"
)
_CHINESE_WITHOUT = re.compile("无(?P<thing>糖|盐|麸质|酒精|乳糖|香料|香精|坚果|添加剂|咖啡因|硅油)")
_NAMES_BRAND = re.compile(r"(?:by|from|brand|von|marke) ?$")
# Between two unwanted things.
_OR = re.compile(
    r"\s*(?:,\s*)?(?:(?:or|nor|and|oder|noch|und|sowie)(?![a-z])|[/&]|、|和|或者?|与|及)\s*(?:no "
    r"|any "
    r"|kein\w* |ohne |不要)?"
)
_HAN_END = re.compile("的|吧|了|哦|啊|呢|谢谢|请|就|都")
_SPLIT_HAN = re.compile("和|或者|或|与|及")
# A list that goes on behind a comma: unwanted as well, or wanted instead. Nobody can tell.
_GOES_ON = re.compile(r"^\s*(?:[\w-]+ ){1,3}(?:or|oder|nor|noch) (?:[\w-]+ ?){1,3}$")


class Negations:
    """Reads them in one catalogue."""

    def __init__(
        self, names: Names, mentions: Mentions, table: ItemTable, fillers: Fillers
    ) -> None:
        self._names = names
        self._mentions = mentions
        self._table = table
        self._is_filler = fillers

    def read(self, sentence: Sentence) -> tuple[list[Wish], list[NotUsed]]:
        """What is unwanted; the sentence's parts are taken, understood or not."""
        wishes: list[Wish] = []
        not_used: list[NotUsed] = []
        for start, end, things in self._unwanted(sentence):
            if not things:  # "not too sweet", "not for kids": it changes what follows as well
                end = _stop(sentence, end)
            found = [self._wish(sentence, start, end, thing) for thing in things]
            wishes += [wish for wish in found if wish is not None]
            if not any(found):
                known = bool(things)
                why = Why.NOT_IN_CATALOGUE if known else Why.NOT_UNDERSTOOD
                not_used.append(NotUsed(sentence.quote(start, end), why))
            sentence.take(start, end)
            following = next((c for c in sentence.clauses if c[0] >= end), None)
            if following and _GOES_ON.match(sentence.plain[slice(*following)]):
                not_used.append(NotUsed(sentence.quote(*following), Why.NOT_UNDERSTOOD))
                sentence.take(*following)
        return wishes, not_used

    def _unwanted(self, sentence: Sentence) -> Iterator[tuple[int, int, list[list[Word]]]]:
        """Where something is unwanted: [start, end), and the words of each thing."""
        plain = sentence.plain
        for pattern in (_FREE, _ALLERGY, _CHINESE_WITHOUT):
            for match in pattern.finditer(plain):
                group = "spaced" if match.groupdict().get("spaced") else "thing"
                thing = Word(match[group], match.start(group), match.end(group))
                told = not self._is_filler.is_no_thing(thing.text)
                if told and sentence.is_free(*match.span()):
                    yield *match.span(), [[thing]]
        for start, end in sentence.clauses:
            for match in _CUE.finditer(plain, start, end):
                if sentence.is_free(*match.span()):
                    things, stop = self._things(sentence, match.end(), end)
                    yield match.start(), stop, things

    def _things(self, sentence: Sentence, at: int, end: int) -> tuple[list[list[Word]], int]:
        """The things named from `at` on, and where they end."""
        things: list[list[Word]] = []
        stop = at
        while True:
            words = list(sentence.free_words(at, end))
            if words and words[0].start - at > 1:
                words = []
            if words and not words[0].spaced:
                run = _HAN_END.split(words[0].text)[0]
                stop = words[0].start + len(run)
                begin = words[0].start
                for part in _SPLIT_HAN.split(run):
                    place = begin + sentence.plain[begin:stop].index(part) if part else begin
                    if part and not self._is_filler.is_no_thing(part):
                        things.append([Word(part, place, place + len(part))])
                    begin = place + len(part)
            else:
                thing = self._thing(sentence, words)
                if not thing:
                    return things, max(stop, at if not things else stop)
                things.append(thing)
                stop = thing[-1].end
            following = _OR.match(sentence.plain, stop, end)
            if following is None:
                return things, stop
            at = following.end()

    def _thing(self, sentence: Sentence, words: Sequence[Word]) -> list[Word]:
        """The words up to one that is part of no thing; none where it is too long to be one."""
        thing: list[Word] = []
        for word in words:
            apart = thing and sentence.plain[thing[-1].end : word.start] not in (" ", "-", "'")
            if apart or not word.spaced or self._is_filler(word.text):
                break
            thing.append(word)
        is_one = 0 < len(thing) <= _MOST_WORDS and not self._is_filler.is_no_thing(thing[0].text)
        return thing if is_one else []

    def _wish(self, sentence: Sentence, start: int, end: int, thing: list[Word]) -> Wish | None:
        words = sentence.quote(start, end)
        mention = self._names.at(thing)
        brand = mention.of(Wanted.BRAND) if mention is not None else None
        if brand is not None:
            said = _NAMES_BRAND.search(sentence.plain[: thing[0].start]) is not None
            if said or not self._names.is_ordinary_word(brand):
                return Wish(Wanted.EXCLUDE_BRAND, words, True, values=brand.values)
        phrase = sentence.quote(thing[0].start, thing[-1].end)
        rows: RowArray = self._mentions.rows(phrase)
        if len(rows) == 0:
            return None
        item_ids = tuple(self._table.item_ids[row] for row in rows.tolist())
        return Wish(Wanted.WITHOUT, words, True, values=(phrase,), item_ids=item_ids)


def _stop(sentence: Sentence, at: int) -> int:
    """The end of what nobody has taken of the clause, from `at` on."""
    _, end = sentence.clause_of(at - 1)
    while at < end and sentence.is_free(at, at + 1):
        at += 1
    return at
