"""Numbers as people write them: in digits, and in English, German and Chinese words."""

import re

_ENGLISH = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_GERMAN = [
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn",
    "elf", "zwölf", "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn",
    "neunzehn",
]  # fmt: skip
_GERMAN_TENS = [
    "zwanzig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"
]  # fmt: skip
_CHINESE = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_MOST = 1e9
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}


def _in_words() -> dict[str, int]:
    """Below a hundred, and the hundreds."""
    found = {word: value for value, word in enumerate(_ENGLISH)}
    found |= {word: value for value, word in enumerate(_GERMAN)}
    found |= {"einen": 1, "ein": 1, "hundert": 100, "a hundred": 100}
    for ten, (english, german) in enumerate(zip(_ENGLISH_TENS, _GERMAN_TENS, strict=True), 2):
        found |= {english: 10 * ten, german: 10 * ten}
        for unit in range(1, 10):
            of_german = "ein" if unit == 1 else _GERMAN[unit]
            for between in "- ":
                found[f"{english}{between}{_ENGLISH[unit]}"] = 10 * ten + unit
            found[f"{of_german}und{german}"] = 10 * ten + unit
    for unit in range(1, 10):
        found[f"{_ENGLISH[unit]} hundred"] = 100 * unit
        found[f"{'ein' if unit == 1 else _GERMAN[unit]}hundert"] = 100 * unit
    return found


_WORDS = _in_words()
LONGEST_FIRST = "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True))
# In a folded text. A word is not the end of another ("einen" of "keinen").
NUMBER = (
    r"(?<![\d.,])\d+(?:[.,]\d+)*|(?<![a-zäöü])(?:" + LONGEST_FIRST + r")(?![a-zäöü])"
    r"|[零一二两三四五六七八九十百千万]+"
)


def number(text: str) -> float | None:
    """The value of what NUMBER matches; None for what is none ("万百", "1.2.3") or too much."""
    value: float | None
    if text in _WORDS:
        value = float(_WORDS[text])
    elif text[0] in _CHINESE or text[0] in _CHINESE_UNITS:
        value = _of_chinese(text)
    else:
        value = _of_digits(text)
    return value if value is not None and value <= _MOST else None


def _of_digits(text: str) -> float | None:
    """1,000 and 1.000 are a thousand; 1,50 and 1.50 are one and a half; 1.000,50 has both."""
    parts = re.split(r"[.,]", text)
    separators = re.findall(r"[.,]", text)
    thousands = all(len(part) == 3 for part in parts[1:]) and 0 < len(parts[0]) <= 3
    if not separators or (thousands and len(set(separators)) == 1 and parts[0] != "0"):
        return float("".join(parts))
    whole, decimals = parts[:-1], parts[-1]
    if len(whole) > 1 and (
        separators[-1] in separators[:-1] or any(len(part) != 3 for part in whole[1:])
    ):
        return None
    return float(f"{''.join(whole)}.{decimals}")


def _of_chinese(text: str) -> float | None:
    total, part, digit, smallest = 0, 0, None, 1e9
    for letter in text:
        if letter in _CHINESE:
            if digit:
                return None
            digit = _CHINESE[letter]
            continue
        unit = _CHINESE_UNITS[letter]
        if unit >= smallest:
            return None
        smallest = unit
        part = (1 if digit is None else digit) * unit
        total, digit = total + part, None
    return float(total + (digit or 0))
