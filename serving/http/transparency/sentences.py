"""The sentences of the transparency document, in English, Chinese and German.

Each follows from the version of the ranker in use or from the rules in force; nothing is written
that neither says.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from serving.models.columns.families import Family
from serving.ranking.explaining.phrases import LANGUAGES
from serving.shops.rules import Rules

FAMILY_NAMES: Mapping[Family, tuple[str, str, str]] = {
    Family.QUERY_MATCH: ("how well it matches what you search for", "与您搜索内容的匹配程度",
                         "wie gut es zu Ihrer Suche passt"),
    Family.BOUGHT_BEFORE: ("what you bought before", "您以前买过什么",
                           "was Sie früher gekauft haben"),
    Family.LOOKED_AT_LATELY: ("what you looked at lately", "您最近看过什么",
                              "was Sie sich zuletzt angesehen haben"),
    Family.TASTE: ("which categories and brands you choose", "您常选的类别和品牌",
                   "welche Kategorien und Marken Sie wählen"),
    Family.POPULARITY: ("how many others look at it and buy it", "有多少其他人浏览和购买",
                        "wie viele andere es ansehen und kaufen"),
    Family.PRICE: ("its price", "价格", "der Preis"),
    Family.NEWNESS: ("how new it is", "商品的新旧程度", "wie neu es ist"),
    Family.OTHER: ("other facts", "其他信息", "anderes"),
}  # fmt: skip
TITLES = ("How we order what we show", "我们如何排列展示的商品", "Wie wir ordnen, was wir zeigen")

_SENTENCES: Mapping[str, tuple[str, str, str]] = {
    "most": (
        "What counts most is {name}: about {share} % of what decides the order.",
        "最重要的是{name}:约占决定排序因素的 {share} %。",
        "Am meisten zählt, {name}: etwa {share} % dessen, was über die Reihenfolge entscheidet.",
    ),
    "then": (
        "Then {name}: about {share} %.", "其次是{name}:约 {share} %。",
        "Dann, {name}: etwa {share} %.",
    ),
    "little": (
        "Little or nothing: {names}.", "几乎没有影响的:{names}。", "Wenig oder nichts: {names}.",
    ),
    "unmeasured": (
        "How much each of these counts was not measured for this version: {names}.",
        "此版本尚未测量以下各项的重要程度:{names}。",
        "Wie viel davon jedes zählt, wurde für diese Version nicht gemessen: {names}.",
    ),
    "search": (
        "When you search, what matches best comes first, whoever you are; what we know of you "
        "reorders only what matches about equally well.",
        "当您搜索时,无论您是谁,最匹配的都排在前面;我们对您的了解只影响匹配程度相近的商品。",
        "Wenn Sie suchen, steht zuerst, was am besten passt, wer auch immer Sie sind; was wir von "
        "Ihnen wissen, ordnet nur, was etwa gleich gut passt.",
    ),
    "stranger": (
        "Of somebody whom we do not know, the order follows from {names}.",
        "对于我们不了解的顾客,排序依据:{names}。",
        "Bei jemandem, den wir nicht kennen, folgt die Reihenfolge aus: {names}.",
    ),
    "boosts": (
        "Rules of the shop's own that favour or hold back some items: {n}.",
        "本店通过 {n} 条自有规则优先或后置部分商品。",
        "Eigene Regeln des Ladens, die Artikel bevorzugen oder zurückstellen: {n}.",
    ),
    "sponsored": (
        "Paid for among these rules: {n}. What is lifted for pay says so (sponsored).",
        "其中 {n} 条规则为付费推广;受其影响的商品均有标注。",
        "Davon bezahlt: {n}. Was gegen Bezahlung gehoben wird, ist gekennzeichnet (gesponsert).",
    ),
    "unpaid": (
        "None of the shop's rules is paid for.", "本店没有付费推广规则。",
        "Keine Regel des Ladens ist bezahlt.",
    ),
    "pins": (
        "Items that the shop has put at fixed places: {n}.", "本店将 {n} 件商品固定在特定位置。",
        "Artikel, die der Laden an feste Plätze gestellt hat: {n}.",
    ),
    "diversity": (
        "Near the top, at most {most} of one {by} stand among {window} neighbours.",
        "在靠前的任意 {window} 个相邻位置中,同一{by}最多出现 {most} 件。",
        "Von einer {by} stehen oben höchstens {most} unter {window} Nachbarn.",
    ),
    "exploration": (
        "In about {share} % of rankings something is left to chance, so that items that hardly "
        "anyone has seen get an opportunity.",
        "约 {share} % 的排序中留有一定随机性,让几乎无人看过的商品获得机会。",
        "In etwa {share} % der Reihenfolgen entscheidet zum Teil der Zufall, damit auch gezeigt "
        "wird, was kaum jemand gesehen hat.",
    ),
    "floors": (
        "Items that would be shown too seldom are lifted: {names}.",
        "展示机会过少的商品会被提前展示:{names}。",
        "Artikel, die sonst zu selten gezeigt würden, werden gehoben: {names}.",
    ),
    "looks": (
        "What hardly anyone has seen yet steps up when it looks like what you chose.",
        "几乎无人看过的商品,如果与您选过的商品外观相似,会提前展示。",
        "Was kaum jemand gesehen hat, rückt vor, wenn es aussieht wie das, was Sie gewählt haben.",
    ),
    "fatigue": (
        "What you were shown more than {n}× and did not take steps back.",
        "向您展示超过 {n} 次而您未选择的商品会后移。",
        "Was Ihnen mehr als {n}× gezeigt wurde und was Sie nicht nahmen, tritt zurück.",
    ),
    "hide": (
        "What you hide stands last.", "您隐藏的商品排在最后。",
        "Was Sie ausblenden, steht zuletzt.",
    ),
}  # fmt: skip
_BY = {"category": ("category", "类别", "Kategorie"), "brand": ("brand", "品牌", "Marke")}
_SIGNALS = {
    "popularity": Family.POPULARITY,
    "popularity_in_category": Family.POPULARITY,
    "trend": Family.POPULARITY,
    "newness": Family.NEWNESS,
    "query_match": Family.QUERY_MATCH,
    "session_intent": Family.LOOKED_AT_LATELY,
    "similar_shoppers": Family.TASTE,
    "taste": Family.TASTE,
    "bought_before": Family.BOUGHT_BEFORE,
}
_LEAST = 1  # percent


def shares(importance: Mapping[str, float]) -> dict[Family, int]:
    """Of each family in percent of all, the largest first; what loses nothing has none."""
    known = {family: max(importance.get(family, 0.0), 0.0) for family in Family}
    total = sum(known.values()) or 1.0
    found = {family: round(100 * value / total) for family, value in known.items()}
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def sentences(language: str, importance: Mapping[str, float] | None, rules: Rules) -> Iterator[str]:
    """One of LANGUAGES; importance: None: it was not measured."""
    yield from _of_model(language, importance)
    yield _say(language, "search")
    signals = [name for name, weight in rules.cold_start.weights.by_signal.items() if weight > 0]
    families = dict.fromkeys(_SIGNALS[name] for name in signals if name in _SIGNALS)
    yield _say(language, "stranger", names=_names(language, families))
    yield from _of_rules(language, rules)


def _of_model(language: str, importance: Mapping[str, float] | None) -> Iterator[str]:
    told = [family for family in Family if family is not Family.OTHER]
    if importance is None:
        yield _say(language, "unmeasured", names=_names(language, told))
        return
    found = shares(importance)
    counting = [family for family, share in found.items() if share > _LEAST]
    for place, family in enumerate(counting):
        name = FAMILY_NAMES[family][LANGUAGES.index(language)]
        key = "then" if place else "most"
        yield _say(language, key, name=name, share=found[family])
    if rest := [family for family in told if family not in counting]:
        yield _say(language, "little", names=_names(language, rest))


def _of_rules(language: str, rules: Rules) -> Iterator[str]:
    if n := len(rules.boosts) + len(rules.buries):
        yield _say(language, "boosts", n=n)
    paid = sum(boost.sponsored for boost in rules.boosts)
    yield _say(language, "sponsored", n=paid) if paid else _say(language, "unpaid")
    if rules.pins:
        yield _say(language, "pins", n=len(rules.pins))
    if rules.diversity.depth:
        by = _BY[rules.diversity.by][LANGUAGES.index(language)]
        most, window = rules.diversity.max_same, rules.diversity.window
        yield _say(language, "diversity", by=by, most=most, window=window)
    drawn, lifted = rules.exploration.sampling.share, rules.exploration.share
    if share := drawn + (1 - drawn) * lifted:
        yield _say(language, "exploration", share=round(100 * share) or "<1")
    if rules.floors:
        names = ", ".join(floor.name for floor in rules.floors)
        yield _say(language, "floors", names=names)
    if rules.looks.strength > 0:
        yield _say(language, "looks")
    if rules.fatigue.strength > 0:
        yield _say(language, "fatigue", n=round(rules.fatigue.after))
    yield _say(language, "hide")


def _names(language: str, families: Any) -> str:
    between = "、" if language == "zh" else "; "
    return between.join(FAMILY_NAMES[family][LANGUAGES.index(language)] for family in families)


def _say(language: str, key: str, **given: Any) -> str:
    return _SENTENCES[key][LANGUAGES.index(language)].format(**given)
