"""The words of reasons, in the languages that there are: one table, a row a reason.

A phrase has the same fields in each language; numbers come counted (`times`, `ago`).
"""

from collections.abc import Mapping
from typing import Any

LANGUAGES = ("en", "zh", "de")

PHRASES: Mapping[str, tuple[str, str, str]] = {
    "bought": (
        "you bought it {times}, the last time {ago}", "您买过{times},最近一次是{ago}",
        "Sie haben es {times} gekauft, zuletzt {ago}",
    ),
    "bought_once": (
        "you bought it once, {ago}", "您买过 1 次,是{ago}", "Sie haben es einmal gekauft, {ago}",
    ),
    "bought_often": (
        "you bought it before, the last time {ago}", "您以前买过,最近一次是{ago}",
        "Sie haben es schon gekauft, zuletzt {ago}",
    ),
    "due": (
        "you buy it about every {every}, the last time {ago}",
        "您大约每{every}买一次,最近一次是{ago}",
        "Sie kaufen es etwa alle {every}, zuletzt {ago}",
    ),
    "viewed_now": (
        "you looked at it in this visit", "您本次访问中看过它",
        "Sie haben es sich bei diesem Besuch angesehen",
    ),
    "viewed": (
        "you last looked at it {ago}", "您看过它,最近一次是{ago}",
        "Sie haben es sich angesehen, zuletzt {ago}",
    ),
    "cart": (
        "you put it into the cart", "您把它加入过购物车",
        "Sie haben es in den Warenkorb gelegt",
    ),
    "because_bought": (
        "goes with “{title}”, which you bought", "与您买过的“{title}”相配",
        "passt zu „{title}“, das Sie gekauft haben",
    ),
    "because_cart": (
        "goes with “{title}”, which you put into the cart", "与您加入过购物车的“{title}”相配",
        "passt zu „{title}“, das Sie in den Warenkorb gelegt haben",
    ),
    "because_viewed": (
        "goes with “{title}”, which you looked at", "与您看过的“{title}”相配",
        "passt zu „{title}“, das Sie sich angesehen haben",
    ),
    "category": (
        "“{name}” is about {share} % of what you choose", "“{name}”约占您所选的 {share} %",
        "„{name}“ macht etwa {share} % dessen aus, was Sie wählen",
    ),
    "brand": (
        "“{name}” is about {share} % of the brands you choose",
        "“{name}”约占您所选品牌的 {share} %",
        "„{name}“ macht etwa {share} % der Marken aus, die Sie wählen",
    ),
    "price": (
        "costs within {share} % of what you usually choose",
        "价格与您通常所选的相差不超过 {share} %",
        "kostet bis auf {share} % so viel wie das, was Sie sonst wählen",
    ),
    "sold": (
        "bought at least {times} in the last {days} days", "最近 {days} 天内至少被购买{times}",
        "in den letzten {days} Tagen mindestens {times} gekauft",
    ),
    "new": (
        "new: first seen in the shop {ago}", "新品:{ago}首次出现在本店",
        "neu: im Laden zuerst gesehen {ago}",
    ),
    "new_explored": (
        "new: first seen in the shop {ago}, shown to learn",
        "新品:{ago}首次出现在本店,展示以便了解",
        "neu: im Laden zuerst gesehen {ago}, gezeigt, um zu lernen",
    ),
    "explored": (
        "hardly anyone has seen it yet, shown to learn", "几乎还没有人看过,展示以便了解",
        "kaum jemand hat es bisher gesehen, gezeigt, um zu lernen",
    ),
    "drawn": (
        "stands a little higher by chance, to learn", "随机略微提前展示,以便了解",
        "steht durch Zufall etwas weiter oben, um zu lernen",
    ),
    "code": (
        "has the number “{query}”", "编号为“{query}”", "hat die Nummer „{query}“",
    ),
    "title": (
        "matches “{query}” in the title", "标题中有“{query}”", "„{query}“ steht im Titel",
    ),
    "facts": (
        "matches “{query}” in title, brand and category", "标题、品牌和类别中有“{query}”",
        "„{query}“ steht in Titel, Marke und Kategorie",
    ),
    "text": (
        "matches “{query}” in its description", "说明中有“{query}”",
        "„{query}“ steht in der Beschreibung",
    ),
    "picture": (
        "“{words}” is written on its picture", "图片上写有“{words}”",
        "„{words}“ steht auf seinem Bild",
    ),
    "part": (
        "matches “{query}” in part: {words}", "部分符合“{query}”:{words}",
        "passt zum Teil zu „{query}“: {words}",
    ),
    "spelling": (
        "“{query}” is spelt much like “{words}”", "“{query}”与“{words}”拼写相近",
        "„{query}“ schreibt sich fast wie „{words}“",
    ),
    "meaning": (
        "is close to “{query}” in meaning", "意思与“{query}”相近",
        "ist „{query}“ in der Bedeutung nahe",
    ),
    "pin": (
        "the shop puts it here: {why}", "本店将它放在这里:{why}",
        "der Laden stellt es hierher: {why}",
    ),
    "sponsored": (
        "sponsored: {why}", "付费推广:{why}", "gesponsert: {why}",
    ),
    "boost": ("the shop favours it: {why}", "本店优先展示:{why}", "der Laden bevorzugt es: {why}"),
    "back": (
        "the shop holds it back: {why}", "本店将它后置:{why}", "der Laden stellt es zurück: {why}",
    ),
    "fatigue": (
        "you were shown it {times} and did not take it", "已向您展示{times},您没有选它",
        "es wurde Ihnen {times} gezeigt, und Sie haben es nicht genommen",
    ),
    "looks_bought": (
        "looks like “{title}”, which you bought", "与您买过的“{title}”外观相似",
        "sieht aus wie „{title}“, das Sie gekauft haben",
    ),
    "looks_cart": (
        "looks like “{title}”, which you put into the cart", "与您加入过购物车的“{title}”外观相似",
        "sieht aus wie „{title}“, das Sie in den Warenkorb gelegt haben",
    ),
    "looks_viewed": (
        "looks like “{title}”, which you looked at", "与您看过的“{title}”外观相似",
        "sieht aus wie „{title}“, das Sie sich angesehen haben",
    ),
    "floor": (
        "lifted so that items like it are shown often enough", "为保证此类商品得到足够展示而提前",
        "angehoben, damit solche Artikel oft genug gezeigt werden",
    ),
    "hidden": ("you hid it", "您隐藏了它", "Sie haben es ausgeblendet"),
}  # fmt: skip


def phrase(language: str, key: str, **given: Any) -> str:
    """A reason in one of LANGUAGES.

    given: the phrase's fields; `times` (a number), `days_ago` and `every_days` come as numbers and
    are told as `times`, `ago` and `every`
    """
    if "times" in given:
        given["times"] = _times(language, given["times"])
    if "days_ago" in given:
        given["ago"] = _ago(language, given["days_ago"])
    if "every_days" in given:
        given["every"] = _days(language, given["every_days"])
    return PHRASES[key][LANGUAGES.index(language)].format(**given)


def place_without_history(language: str, place: int) -> str:
    """Where an item would stand."""
    if language == "zh":
        return f"没有您的历史记录,它会排在第 {place} 位"
    if language == "de":
        return f"ohne Ihren Verlauf stünde es an {place}. Stelle"
    return f"without your history it would be {_ordinal(place)}"


def _times(language: str, n: int) -> str:
    if language == "zh":
        return f" {n} 次"
    if n <= 2:
        return {"en": ("once", "twice"), "de": ("einmal", "zweimal")}[language][n - 1]
    return f"{n} times" if language == "en" else f"{n}-mal"


def _days(language: str, n: int) -> str:
    if language == "zh":
        return f" {n} 天"
    return f"{n} days" if language == "en" else f"{n} Tage"


def _ago(language: str, days: int) -> str:
    if days == 0:  # it may have been yesterday by the calendar, so no word for today
        less = ("less than a day ago", "不到一天前", "vor weniger als einem Tag")
        return less[LANGUAGES.index(language)]
    if language == "zh":
        return f" {days} 天前"
    if language == "de":
        return "vor einem Tag" if days == 1 else f"vor {days} Tagen"
    return "a day ago" if days == 1 else f"{days} days ago"


def _ordinal(n: int) -> str:
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
