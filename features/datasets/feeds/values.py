"""Values as other systems write them: prices, texts with markup, times, stock."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html.parser import HTMLParser

_SYMBOLS = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "₹": "INR", "zł": "PLN", "₩": "KRW"}
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_CURRENCY = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_NUMBER = re.compile(r"\d(?:[\d.,'’]|\s(?=\d))*")
# Elements that end a word.
_BLOCKS = frozenset(
    {"article", "blockquote", "br", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6"}
) | {"hr", "li", "ol", "p", "pre", "section", "td", "th", "tr", "ul"}
_MICROSECONDS, _MILLISECONDS = 1e14, 1e11  # numbers from here on are no seconds


def price_of(text: str, decimal: str | None = None) -> tuple[float, str]:
    """The amount and the currency, "" when none is told: "1.299,00 EUR" is (1299.0, "EUR").

    decimal: "." or ",", where the source is known to write it so. None: the last of two kinds of
    separator; one alone is a decimal one unless groups of exactly three digits follow it. Raises
    ValueError for text without a number, with several, or below 0.
    """
    codes = _CURRENCY.findall(text) or [code for sign, code in _SYMBOLS.items() if sign in text]
    currency = codes[0] if codes else ""
    numbers = _NUMBER.findall(text)
    if len(numbers) != 1 or re.search(r"[-−]\s*[^\w\s]?\s*\d", text):
        raise ValueError(f"holds {text[:40]!r} where a price belongs")
    digits = re.sub(r"[\s'’]", "", numbers[0]).rstrip(".,")
    return float(_plain(digits, decimal or _decimal(digits, currency))), currency


def _decimal(digits: str, currency: str) -> str:
    last = max(digits.rfind("."), digits.rfind(","))
    separator = digits[last] if last >= 0 else "."
    other = "," if separator == "." else "."
    after = len(digits) - last - 1
    if other in digits or (digits.count(separator) == 1 and after != 3):
        return separator
    grouped = digits.count(separator) > 1 or not digits.startswith("0")
    return other if grouped and currency not in _THREE_DECIMALS else separator


def _plain(digits: str, decimal: str) -> str:
    return digits.replace("," if decimal == "." else ".", "").replace(decimal, ".")


def moment_of(value: object, time_format: str | None = None) -> float:
    """Unix seconds of RFC 3339 text, of BigQuery's "2026-01-31 10:00:00 UTC", or of a number.

    A number may count seconds, milliseconds or microseconds. Times without a zone are UTC.
    time_format: as of strptime, for text of another form. Raises ValueError.
    """
    text = str(value).strip().removesuffix(" UTC")
    try:
        if time_format:
            at = datetime.strptime(text, time_format)  # noqa: DTZ007 (the zone follows)
        elif re.fullmatch(r"\d{9,}(\.\d*)?", text):
            number = float(text)
            scale = 1e6 if number >= _MICROSECONDS else 1e3 if number >= _MILLISECONDS else 1.0
            return number / scale
        else:
            at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"holds {text[:40]!r} where a time belongs") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def plain_text(text: str) -> str:
    """Without markup, scripts and entities, and with single spaces."""
    if "<" in text or "&" in text:
        stripper = _Stripper()
        stripper.feed(text)
        stripper.close()
        text = "".join(stripper.parts)
    return " ".join(text.split())


class _Stripper(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        self._space(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0
        self._space(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

    def _space(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append(" ")


def category_of(path: str, separator: str = ">") -> str:
    """A category path as the catalogue writes it."""
    return " > ".join(level for part in path.split(separator) if (level := plain_text(part)))


def joined(values: Iterable[str]) -> str:
    """Each distinct text once, in order, with ", " between: an attribute of several values."""
    return ", ".join(dict.fromkeys(filter(None, values)))


def told(attributes: dict[str, str]) -> dict[str, str]:
    """The attributes that say something."""
    return {name: text for name, text in attributes.items() if name and text}


def sale_attributes(regular: float, sale: float) -> dict[str, str]:
    """What an item on sale says besides its price, which is what a shopper pays."""
    return {"sale_price": f"{sale:.2f}", "regular_price": f"{regular:.2f}"}
