"""Packages, drawn: what stands on them is known, so what is read can be compared."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import noto_cjk_sans_jp_regular
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from serving.pictures.problems import Page

_FONT = str(Path(noto_cjk_sans_jp_regular.__file__).parent / "NotoSansCJKjp-Regular.otf")
_LINES = {
    "en": (
        "Highland Oatcakes", "stone ground", "no palm oil", "Wild Blossom Honey", "cold pressed",
        "Juniper Tonic", "with sea salt", "Smoked Paprika", "Roasted Chickpeas", "gluten free",
        "Elderflower Cordial", "Charcoal Toothpaste", "fragrance free", "Lavender Soap",
        "Walnut Granola", "unsweetened", "Peppermint Tea", "hand made", "Cinnamon Bark",
        "keep cool and dry", "Sourdough Crackers", "Almond Butter", "Beetroot Crisps", "vegan",
    ),
    "zh": (
        "有机绿茶", "净含量五百克", "产地浙江", "桂花蜂蜜", "低温压榨", "手工制作", "海盐饼干",
        "烟熏辣椒粉", "不含麸质", "无香料", "薰衣草香皂", "核桃燕麦", "无糖", "薄荷茶", "肉桂皮",
        "阴凉干燥处保存", "杏仁酱", "甜菜脆片", "纯素", "陈年老醋", "五香豆腐干", "银耳莲子",
    ),
}  # fmt: skip
LANGUAGES = tuple(_LINES)


@dataclass(frozen=True, slots=True)
class Way:
    """How packages are drawn and kept. letters: pixels that a line is high, of a picture of `side`
    pixels; turned: degrees; quality: of the JPEG"""

    letters: int = 32
    side: int = 800
    turned: float = 0.0
    quality: int = 85

    def with_(self, **others: float) -> "Way":
        """The same but for these."""
        return replace(self, **others)  # type: ignore[arg-type]


def package(lines: tuple[str, ...], way: Way = Way()) -> bytes:
    """A JPEG of a box with `lines` on its label."""
    image = Image.fromarray(_backdrop(way.side))
    label = Image.new("RGBA", image.size, (0, 0, 0, 0))
    drawn = ImageDraw.Draw(label)
    font = ImageFont.truetype(_FONT, way.letters)
    step = round(1.6 * way.letters)
    top = (way.side - step * len(lines)) // 2
    width = max(drawn.textlength(line, font) for line in lines)
    left = (way.side - width) / 2
    edge = way.letters
    box = (left - edge, top - edge, left + width + edge, top + step * len(lines) + edge)
    drawn.rounded_rectangle(box, edge, (246, 240, 222, 255))
    for place, line in enumerate(lines):
        drawn.text((left, top + place * step), line, (38, 60, 44, 255), font)
    turned = label.rotate(way.turned, Image.Resampling.BICUBIC)
    image.paste(turned, (0, 0), turned)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=way.quality)
    return out.getvalue()


def drawn_packages(language: str, n: int, way: Way, seed: int) -> list[tuple[bytes, str]]:
    """`n` of them, each of three lines, and these as a text."""
    draws = np.random.default_rng(seed)
    known = _LINES[language]
    out: list[tuple[bytes, str]] = []
    for _ in range(n):
        lines = tuple(known[at] for at in draws.choice(len(known), 3, replace=False))
        out.append((package(lines, way), "\n".join(lines)))
    return out


def _backdrop(side: int) -> Page:
    """A shelf that grows darker, with grain."""
    shade = np.linspace(190, 110, side)[:, None, None] * np.array([1.0, 0.86, 0.72])
    grain = np.random.default_rng(0).normal(0, 6, (side, side, 1))
    pixels: Page = np.clip(shade + grain, 0, 255).astype(np.uint8)
    return pixels
