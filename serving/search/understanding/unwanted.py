"""What is said not to be wanted, in words: "no nuts", "sugar-free", "不要香精", "ohne Zucker"."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from serving.search.understanding.fillers import Fillers
from serving.search.understanding.sentence import Sentence, Word
from serving.search.words.analysis import plain_text

_MOST_WORDS = 3  # of one unwanted thing
_MOST, _MOST_READ = 4, 512  # unwanted things of a query, and characters of it that are read
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
_FREE = re.compile(r"(?<![a-z])(?P<thing>[a-zäöüß]{3,})(?:[- ]free|-?frei(?:e[nmrs]?)?)(?![a-z])")
_ALLERGY = re.compile(
    r"对(?P<thing>[\u4e00-\u9fff]{1,4}?)过敏|(?<![a-z])(?P<spaced>[a-z]{3,}) allerg(?:y"
    r"|ies)(?![a-z])"
)
_CHINESE_WITHOUT = re.compile("无(?P<thing>糖|盐|麸质|酒精|乳糖|香料|香精|坚果|添加剂|咖啡因|硅油)")
_ANY = re.compile(
    "|".join(
        re.sub(r"\?P<\w+>", "?:", pattern.pattern)
        for pattern in (_CUE, _FREE, _ALLERGY, _CHINESE_WITHOUT)
    )
)
# Between two unwanted things.
_OR = re.compile(
    r"\s*(?:,\s*)?(?:(?:or|nor|and|oder|noch|und|sowie)(?![a-z])|[/&]|、|和|或者?|与|及)\s*(?:no "
    r"|any "
    r"|kein\w* |ohne |不要)?"
)
_HAN_END = re.compile("的|吧|了|哦|啊|呢|谢谢|请|就|都")
_SPLIT_HAN = re.compile("和|或者|或|与|及")


class Unwanted(NamedTuple):
    """[start, end) of a sentence that says so, and the words of each thing; no things: of none."""

    start: int
    end: int
    things: list[list[Word]]


class Read(NamedTuple):
    """A query: the things that it does not want, in its words, and what is left of it without."""

    unwanted: tuple[str, ...]
    rest: str


def read_unwanted(query: str, terms: Callable[[str], list[str]]) -> Read:
    """Nothing unwanted for nearly all queries, and at once.

    Nor what the rest of it asks for ("tool cases without tools"). terms: of a text, as search has
    them
    """
    if not _ANY.search(plain_text(query)):
        return Read((), query)
    sentence = Sentence(query[:_MOST_READ])
    said = [
        each for each in islice(unwanted(sentence, _fillers()), _MOST) if _of_query(sentence, each)
    ]
    for start, end, _ in said:
        sentence.take(start, end)
    rest = " ".join(sentence.quote(start, end) for start, end in sentence.left())
    things = [thing for each in said for thing in each.things]
    named = [thing for thing in things if not thing[0].text.isdigit()]  # "chanel no 5"
    phrases = dict.fromkeys(sentence.quote(thing[0].start, thing[-1].end) for thing in named)
    wanted = set(terms(rest))
    left = tuple(phrase for phrase in phrases if not wanted.issuperset(terms(phrase)))[:_MOST]
    return Read(left, rest + query[_MOST_READ:] if left else query)


def _of_query(sentence: Sentence, said: Unwanted) -> bool:
    """Whether it says so in a query as well, which has names in it ("nike free run")."""
    text = sentence.plain[said.start : said.end]
    thing, _, free = text.rpartition(" ")
    if free == "free":
        return _fillers().is_left_out(thing)
    return not text.endswith(("allergy", "allergies"))  # what helps against it is asked for


def unwanted(sentence: Sentence, is_filler: Fillers) -> Iterator[Unwanted]:
    """Where something of the sentence is unwanted, of the parts that nobody has taken."""
    plain = sentence.plain
    for pattern in (_FREE, _ALLERGY, _CHINESE_WITHOUT):
        for match in pattern.finditer(plain):
            group = "spaced" if match.groupdict().get("spaced") else "thing"
            thing = Word(match[group], match.start(group), match.end(group))
            told = not is_filler.is_no_thing(thing.text)
            if told and sentence.is_free(*match.span()):
                yield Unwanted(*match.span(), [[thing]])
    for start, end in sentence.clauses:
        for match in _CUE.finditer(plain, start, end):
            if sentence.is_free(*match.span()):
                things, stop = _things(sentence, match.end(), end, is_filler)
                yield Unwanted(match.start(), stop, things)


def _things(
    sentence: Sentence, at: int, end: int, is_filler: Fillers
) -> tuple[list[list[Word]], int]:
    """The things named from `at` on, and where they end."""
    things: list[list[Word]] = []
    stop = at
    while True:
        words = list(islice(sentence.free_words(at, end), _MOST_WORDS + 1))
        if words and words[0].start - at > 1:
            words = []
        if words and not words[0].spaced:
            run = _HAN_END.split(words[0].text)[0]
            stop = words[0].start + len(run)
            begin = words[0].start
            for part in _SPLIT_HAN.split(run):
                place = begin + sentence.plain[begin:stop].index(part) if part else begin
                if part and not is_filler.is_no_thing(part):
                    things.append([Word(part, place, place + len(part))])
                begin = place + len(part)
        else:
            thing = _thing(sentence, words, is_filler)
            if not thing:
                return things, max(stop, at if not things else stop)
            things.append(thing)
            stop = thing[-1].end
        following = _OR.match(sentence.plain, stop, end)
        if following is None:
            return things, stop
        at = following.end()


def _thing(sentence: Sentence, words: Sequence[Word], is_filler: Fillers) -> list[Word]:
    """The words up to one that is part of no thing; none where it is too long to be one."""
    thing: list[Word] = []
    for word in words:
        apart = thing and sentence.plain[thing[-1].end : word.start] not in (" ", "-", "'")
        if apart or not word.spaced or is_filler(word.text):
            break
        thing.append(word)
    is_one = 0 < len(thing) <= _MOST_WORDS and not is_filler.is_no_thing(thing[0].text)
    return thing if is_one else []


@cache
def _fillers() -> Fillers:
    return Fillers()
