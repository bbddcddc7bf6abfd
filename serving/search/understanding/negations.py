"""What a sentence does not want, in one catalogue: words that no item may have, and brands."""

import re

from features.arrays import RowArray
from features.catalog.table import ItemTable
from serving.search.understanding.fillers import Fillers
from serving.search.understanding.mentions import Mentions
from serving.search.understanding.names import Names
from serving.search.understanding.sentence import Sentence, Word
from serving.search.understanding.unwanted import unwanted
from serving.search.understanding.wishes import NotUsed, Wanted, Why, Wish

_NAMES_BRAND = re.compile(r"(?:by|from|brand|von|marke) ?$")
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
        for start, end, things in unwanted(sentence, self._is_filler):
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
