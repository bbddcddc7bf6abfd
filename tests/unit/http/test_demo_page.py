"""The demo page says everything in each of its languages, and says no word in vain."""

import re
from pathlib import Path

DEMO = Path(__file__).resolve().parents[3] / "serving" / "demo"
TEXT = r'"((?:[^"\\]|\\.)*)"'
SCRIPTS = {path.name: path.read_text() for path in DEMO.glob("*.js")}
PAGE = (DEMO / "index.html").read_text()


def table() -> dict[str, str]:
    """The English words of zh.js and the Chinese ones."""
    rows = re.findall(rf"^  (?:{TEXT}|(\w+)): {TEXT},$", SCRIPTS["zh.js"], re.MULTILINE)
    return {quoted or bare: chinese for quoted, bare, chinese in rows}


def said() -> set[str]:
    """What scripts give to `t`, `counted` and `block`, and what index.html marks."""
    found = set()
    for name, script in SCRIPTS.items():
        if name in ("zh.js", "language.js", "docs.js"):
            continue
        for call in re.findall(r"\bt\(((?:[^()]|\([^()]*\))*)\)", script):
            found |= set(re.findall(rf"(?:^|[?:]\s*){TEXT}", call.strip()))
        for one, many in re.findall(rf"counted\([^\"]*{TEXT}, {TEXT}\)", script):
            found |= {one, many}
        found |= set(re.findall(rf"block\({TEXT}", script))
        found |= set(re.findall(rf"new Problem\({TEXT}", script))
    found |= set(re.findall(rf"^  \w+: {TEXT},$", SCRIPTS["words.js"], re.MULTILINE))
    found |= {text.strip() for text in re.findall(r"data-t(?: hidden)?>([^<]+)", PAGE)}
    for element in re.findall(r"<[^>]*data-t=[^>]*>", PAGE):
        attribute = re.search(r'data-t="([\w-]+)"', element)
        assert attribute is not None
        found |= set(re.findall(rf"{attribute[1]}={TEXT}", element))
    return found


def test_every_word_of_the_page_has_a_chinese_one() -> None:
    assert len(said()) > 100
    assert sorted(said() - set(table())) == []


def test_no_chinese_word_is_of_something_that_is_not_said() -> None:
    everything = " ".join(text for name, text in SCRIPTS.items() if name != "zh.js") + PAGE
    events = ("view", "click", "add to cart", "purchase", "return", "dwell", "hide", "unhide")
    dead = [
        text for text in table()
        if text not in events and not re.search(rf"[\">]\s*{re.escape(text)}\s*[\"<]", everything)
        and f"{text}\n" not in everything
    ]  # fmt: skip
    assert dead == []


def test_what_is_filled_in_is_the_same_in_both_languages() -> None:
    for english, chinese in table().items():
        holes = [sorted(re.findall(r"\{\w+\}", text)) for text in (english, chinese)]
        assert holes[0] == holes[1], english
