"""What a sentence says of the price: "under 30 euros", "bis 30 Euro", "30元以下"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from features.catalog.prices import Prices
from serving.search.understanding.numbers import NUMBER, number
from serving.search.understanding.sentence import Sentence
from serving.search.understanding.wishes import NotUsed, Wanted, Why, Wish

_CENT = 0.01  # "under 30" is 29.99 at most
_AROUND = 0.2  # "around 30" is 24 to 36

_CURRENCIES = {
    "EUR": "€|eur|euros?|欧元|欧",
    "GBP": "£|gbp|sterling|quid|pounds?|pfund|英镑",
    "USD": r"us\$|\$|usd|dollars?|bucks|美元|美金",
    "CNY": "¥|cny|rmb|yuan|人民币|块钱|元|块",
}
_DOLLARS = frozenset(("USD", "CAD", "AUD", "NZD", "SGD", "HKD"))  # a shop's own is meant
_WEIGHTS = re.compile("pounds?|pfund")  # also a weight: money only where the shop counts in it
_SIGN = r"us\$|[€£$¥]|(?<![a-z])(?:eur|usd|gbp|cny|rmb)(?![a-z])"
_WORD = "|".join(_CURRENCIES.values())


def _amount(place: int) -> str:
    return (
        rf"(?:(?P<sign{place}>{_SIGN})\s?)?(?P<number{place}>{NUMBER})(?:,-+)?"
        rf"\s?(?:(?P<word{place}>{_WORD})(?![a-zäöü]))?(?![a-z%°]|[.,]?\d)"
    )


# The words in front of an amount and behind it. What is longer stands first.
_MOST = (
    r"no more than|not more than|not over|not above|not exceeding|up to|at most"
    r"|max(?:imum)?\.?(?: of)?"
    r"|within|nicht mehr als|nicht über|nicht teurer als|bis zu|bis|höchstens|maximal"
    r"|不超过|不高于|不大于|最多|至多|最高|控制在"
)
_BELOW = (
    r"(?:for )?less than|lower than|cheaper than|under|below|weniger als|billiger als"
    r"|günstiger als|unter|低于|少于|小于|不到"
)
_LEAST = (
    r"at least|no less than|not less than|not under|not below|starting at|from"
    r"|min(?:imum)?\.?(?: of)?"
    r"|mindestens|wenigstens|nicht unter|nicht weniger als|ab|至少|最少|不低于|不少于"
)
_ABOVE = r"more than|upwards of|over|above|mehr als|teurer als|über|超过|高于|大于|多于"
_ABOUT = (
    r"around|about|roughly|approximately|circa|ca\.?|close to|etwa|ungefähr|rund|um die|um"
    r"|大约|大概|差不多|约"
)
_BUDGET = (
    r"(?:my |a |our |mein |unser )?budget(?: is| of|:| von| ist| liegt bei)?"
    r"|(?:can |want to |will |to )spend|预算(?:是|为|在|大概)?"
)
_MOST_BEHIND = (
    r"or less|or under|or below|or cheaper|max(?:imum)?|tops|at most|oder weniger|oder günstiger"
    r"|maximal|höchstens|以下|以内|之内|封顶|内"
)
_LEAST_BEHIND = (
    r"or more|and up|and more|or over|and over|or above|upwards|oder mehr|aufwärts|以上|起"
)
_ABOUT_BEHIND = r"左右|上下"
_NONE = (
    r"(?P<none>(?:don't|do not) want to (?:spend|pay)|nothing|none|not(?: anything)?|nichts|nicht"
    r"|kein\w*(?: \w+)?|不要|不想要?|别)"
    r"(?: (?:that )?(?:is|costs?))?\s?"
)
_SMALL = r"\s?(?:of|von|is|ist|:|在|about|only)?\s?"
_BOUND = re.compile(
    rf"(?:(?<![a-z]){_NONE})?(?<![a-zäöü])(?:(?P<most>{_MOST})|(?P<below>{_BELOW})"
    rf"|(?P<least>{_LEAST})"
    rf"|(?P<above>{_ABOVE})|(?P<about>{_ABOUT})|(?P<budget>{_BUDGET})){_SMALL}{_amount(0)}"
    rf"(?:\s?(?:(?P<or_less>{_MOST_BEHIND})|(?P<or_more>{_LEAST_BEHIND})"
    rf"|(?P<or_so>{_ABOUT_BEHIND}))"
    r"(?![a-z]))?"
)
_BEHIND = re.compile(
    rf"{_amount(0)}\s?(?:(?P<most>{_MOST_BEHIND})|(?P<least>{_LEAST_BEHIND})"
    rf"|(?P<about>{_ABOUT_BEHIND}))(?![a-z])"
)
_RANGE = re.compile(
    rf"(?:(?<![a-z])(?P<between>between|zwischen|介于|在)\s?)?(?:(?<![a-z])(?:from|von"
    rf"|从)\s)?{_amount(0)}"
    rf"\s?(?:to|bis(?: zu)?|[-–—~]|到|至|(?P<and>and|und|和))\s?{_amount(1)}(?:\s?之间)?"
)
# A number without a currency is a price only behind a word that says so, and with no noun behind.
_SAYS_PRICE = re.compile(
    r"(?:price[ds]?|costs?|costing|budget|spend|pay|preis|kosten|kostet|ausgeben|预算|价格|价钱"
    r"|售价)"
    r"[^,.;]{0,16}$"
)
_NO_NOUN = re.compile(
    r"\s*(?:$|[,.;!?，。；！？)]|(?:and|or|but|und|oder|aber|in total|please)\b|的)"
)
# Money of which the sentence speaks, and which is not the item's price.
_OTHER_MONEY = re.compile(
    r"\b(?:sav\w+|discounts?|shipping|delivery|vouchers?|coupons?|gift ?cards?|off|cash ?back"
    r"|refund"
    r"|rabatt|versand\w*|gutschein\w*|sparen|liefer\w+)\b|运费|优惠|满|减|券|包邮"
)
# In front of a bound, or anywhere in its clause: it need not be so.
_NEED_NOT = re.compile(
    r"\b(?:don't|doesn't|do not|does not|need not|needn't|whether|even if|if it)\b|无所谓|不一定"
    r"|就算"
)
_DOES_NOT_MATTER = re.compile(
    r"\b(?:egal|muss nicht|müssen nicht|not (?:necessary|important|a must)|optional)\b|无所谓"
    r"|没关系"
)


@dataclass(frozen=True, slots=True)
class _Bounds:
    start: int
    end: int
    least: float | None
    most: float | None
    currency: str | None  # None: none was said


def price_wishes(sentence: Sentence, prices: Prices) -> tuple[list[Wish], list[NotUsed]]:
    """What is said of the price, in the shop's currency; the sentence's part is taken."""
    wishes: list[Wish] = []
    not_used: list[NotUsed] = []
    for bounds in _found(sentence, prices.currency):
        words = sentence.quote(bounds.start, bounds.end)
        sentence.take(bounds.start, bounds.end)
        rate = 1.0 if bounds.currency is None else prices.rate(bounds.currency)
        if rate is None:
            not_used.append(NotUsed(words, Why.UNKNOWN_CURRENCY))
            continue
        least, most = (
            None if amount is None else round(amount * rate, 2)
            for amount in (bounds.least, bounds.most)
        )
        wishes.append(Wish(Wanted.PRICE, words, True, min_price=least, max_price=most))
    lowest = max((wish.min_price for wish in wishes if wish.min_price is not None), default=0.0)
    highest = min((w.max_price for w in wishes if w.max_price is not None), default=float("inf"))
    if lowest > highest:
        not_used += [NotUsed(wish.words, Why.CONTRADICTION) for wish in wishes]
        wishes = []
    return wishes, not_used


def _found(sentence: Sentence, own: str) -> Iterator[_Bounds]:
    for start, end in sentence.clauses:
        clause = sentence.plain[start:end]
        if _OTHER_MONEY.search(clause) or _DOES_NOT_MATTER.search(clause):
            continue
        for pattern, read in ((_RANGE, _of_range), (_BOUND, _of_bound), (_BEHIND, _of_behind)):
            for match in pattern.finditer(clause):
                taken = not sentence.is_free(start + match.start(), start + match.end())
                if taken or _NEED_NOT.search(clause[: match.start()]):
                    continue
                currency = _currency(match, own)
                if currency == "" or (currency is None and not _is_price(clause, match)):
                    continue
                least, most = read(match)
                if least is None and most is None:
                    continue
                bounds = _Bounds(start + match.start(), start + match.end(), least, most, currency)
                yield bounds


def _of_range(match: re.Match[str]) -> tuple[float | None, float | None]:
    least, most = number(match["number0"]), number(match["number1"])
    joined = match["and"] is None or match["between"] is not None
    in_order = least is not None and most is not None and least <= most
    return (least, most) if joined and in_order else (None, None)


def _of_bound(match: re.Match[str]) -> tuple[float | None, float | None]:
    amount = number(match["number0"])
    if amount is None:
        return None, None
    named = next(name for name in _BOUNDS if match[name] is not None)
    behind = next((name for name in _BEHIND_BOUND if match[name] is not None), None)
    if behind is not None:  # "from 10 up", "budget 30 max", "about 30 or less"
        named = _BEHIND_BOUND[behind] if named in ("about", "budget", "least") else named
    if match["none"] is not None:  # "nothing over 50"
        named = {"above": "most", "below": "least"}.get(named, "")
    return _bounds_of(named, amount)


def _of_behind(match: re.Match[str]) -> tuple[float | None, float | None]:
    amount = number(match["number0"])
    named = next(name for name in ("most", "least", "about") if match[name] is not None)
    return (None, None) if amount is None else _bounds_of(named, amount)


_BOUNDS = ("most", "below", "least", "above", "about", "budget")
_BEHIND_BOUND = {"or_less": "most", "or_more": "least", "or_so": "about"}


def _bounds_of(named: str, amount: float) -> tuple[float | None, float | None]:
    match named:
        case "most" | "budget":
            return None, amount
        case "below":
            return None, max(amount - _CENT, 0.0)
        case "least":
            return amount, None
        case "above":
            return amount + _CENT, None
        case "about":
            return amount * (1 - _AROUND), amount * (1 + _AROUND)
        case _:
            return None, None


def _is_price(clause: str, match: re.Match[str]) -> bool:
    """Whether a number without a currency is one."""
    if not _NO_NOUN.match(clause, match.end()):
        return False
    groups = match.groupdict()
    return bool(groups.get("budget")) or _SAYS_PRICE.search(clause[: match.start()]) is not None


def _currency(match: re.Match[str], own: str) -> str | None:
    """ISO 4217 of a match; None: none was said; "": it cannot be told."""
    groups = match.groupdict()
    said = {
        _code(text, own)
        for place in "01"
        for kind in ("sign", "word")
        if (text := groups.get(f"{kind}{place}"))
    }
    return None if not said else said.pop() if len(said) == 1 else ""


def _code(text: str, own: str) -> str:
    if _WEIGHTS.fullmatch(text) and own != "GBP":
        return ""
    code = next(code for code, forms in _CURRENCIES.items() if re.fullmatch(forms, text))
    if code == "USD" and own in _DOLLARS and text not in ("usd", "us$", "美元", "美金"):
        return own
    return "JPY" if text == "¥" and own == "JPY" else code
