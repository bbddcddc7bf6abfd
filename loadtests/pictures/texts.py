"""What is read on pictures, and what it takes: `python -m loadtests.pictures.texts`.

Drawn packages whose words are known, in both languages, by size of letters, rotation and quality of
JPEG; and real pictures that hardly say anything, for words that are not there. What is compared are
terms as search has them: stems of words, and pairs of Chinese characters.
"""

import argparse
import asyncio
import time
from pathlib import Path

import numpy as np
import psutil

from loadtests.pictures.emoji import emoji
from loadtests.pictures.packages import LANGUAGES, Way, drawn_packages
from serving.pictures.decoding import page_of
from serving.pictures.settings import PictureSettings, TextSettings
from serving.pictures.text.plain import Line, plain_text
from serving.pictures.text.reader import ProcessReader
from serving.search.words.analysis import Analyzer

_USUAL = Way()
_WAYS = {
    "as usual: letters of 32 pixels": _USUAL,
    "letters of 16": _USUAL.with_(letters=16),
    "letters of 12": _USUAL.with_(letters=12),
    "letters of 9": _USUAL.with_(letters=9),
    "letters of 7": _USUAL.with_(letters=7),
    "letters of 12, quality 20": _USUAL.with_(letters=12, quality=20),
    "turned by 10 degrees": _USUAL.with_(turned=10),
    "turned by 30": _USUAL.with_(turned=30),
    "turned by 90": _USUAL.with_(turned=90),
    "upside down": _USUAL.with_(turned=180),
    "JPEG of quality 40": _USUAL.with_(quality=40),
    "JPEG of quality 10": _USUAL.with_(quality=10),
    "letters of 16, quality 40": _USUAL.with_(letters=16, quality=40),
    "a picture of 400, letters of 16": _USUAL.with_(side=400, letters=16),
    "a picture of 2,000, letters of 32": _USUAL.with_(side=2000, letters=32),
}
_LIMITS = PictureSettings()


class Bench:
    """Reads pictures, and counts the reading process's time and memory."""

    def __init__(self, text: TextSettings) -> None:
        self._text = text
        self.reader = ProcessReader(text)
        self.cpu_s: list[float] = []
        self.wall_s: list[float] = []

    async def read(self, content: bytes) -> list[Line]:
        """The lines of a picture, as the worker has them read."""
        page = page_of(content, _LIMITS.max_bytes, _LIMITS.max_pixels, self._text.max_side)
        before_s, begun_s = self._used_s(), time.perf_counter()
        lines = await self.reader.read(page)
        if before_s:
            self.cpu_s.append(self._used_s() - before_s)
            self.wall_s.append(time.perf_counter() - begun_s)
        return lines

    @property
    def memory_mib(self) -> float:
        """The most that the process has held."""
        process = self.reader._process
        assert process is not None
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024

    def _used_s(self) -> float:
        process = self.reader._process
        if process is None:
            return 0.0
        used = psutil.Process(process.pid).cpu_times()
        return float(used.user + used.system)


def terms_of(language: str, text: str) -> set[str]:
    """As search has them."""
    return set(Analyzer(language).terms(text))


async def packages(bench: Bench, n: int, floors: tuple[float, ...], only: str = "") -> None:
    """Shares of terms that were read, and of what was read that is there."""
    for name, way in _WAYS.items():
        if only not in name:
            continue
        row = [name]
        for language in LANGUAGES:
            there = read_there = 0
            read = {floor: [0, 0] for floor in floors}  # of these, and of all that was read
            for content, said in drawn_packages(language, n, way, seed=1):
                lines = await bench.read(content)
                known = terms_of(language, said)
                there += len(known)
                for floor in floors:
                    found = terms_of(language, plain_text(lines, floor, 500))
                    read[floor][0] += len(found & known)
                    read[floor][1] += len(found)
            for floor in floors:
                read_there, all_read = read[floor]
                right = read_there / all_read if all_read else float("nan")
                row.append(f"{language} >={floor}: {read_there / there:.3f} ({right:.3f} right)")
        print(" | ".join(row), flush=True)


async def real(bench: Bench, n: int, floors: tuple[float, ...], only: str = "") -> None:
    """How many real pictures are said to say something."""
    said = dict.fromkeys(floors, 0)
    shown: list[str] = []
    for place in np.random.default_rng(1).permutation(len(emoji()))[:n].tolist():
        each = emoji()[place]
        lines = await bench.read(each.path.read_bytes())
        for floor in floors:
            said[floor] += bool(plain_text(lines, floor, 500))
        if text := plain_text(lines, floors[-1], 500):
            shown.append(f"{each.name}: {text!r}")
    print(f"{n} renderings; said to say something:", said)
    print("\n".join(shown))


async def _measure(given: argparse.Namespace) -> None:
    bench = Bench(TextSettings(max_s=600, max_side=given.side, threads=given.threads))
    floors = tuple(given.floors)
    await bench.read(drawn_packages("en", 1, _USUAL, seed=0)[0][0])
    for what, measured, n in (("packages", packages, given.n), ("real", real, given.real)):
        if not n:
            continue
        bench.cpu_s, bench.wall_s = [], []
        await measured(bench, n, floors, given.only)
        cpu = np.array(bench.cpu_s) * 1000
        print(
            f"{what}: {len(cpu)} pictures, processor ms mean {cpu.mean():.0f}, median "
            f"{np.median(cpu):.0f}, 95 % {np.quantile(cpu, 0.95):.0f}; by the clock mean "
            f"{1000 * np.mean(bench.wall_s):.0f}; memory {bench.memory_mib:.0f} MiB",
            flush=True,
        )
    await bench.reader.close()


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=12, help="packages of each kind and language")
    parser.add_argument("--real", type=int, default=100, help="renderings")
    parser.add_argument("--side", type=int, default=TextSettings().max_side)
    parser.add_argument("--only", default="", help="packages whose name has this")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--floors", type=float, nargs="+", default=[0.5, 0.8, 0.9])
    asyncio.run(_measure(parser.parse_args()))


if __name__ == "__main__":
    main()
