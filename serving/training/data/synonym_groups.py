"""Makes the dictionaries of serving/search/words/dictionaries/ from published ones.

    python -m serving.training.data.synonym_groups --sudachi synonyms.txt --ejdict a.txt ... --out F
    python -m serving.training.data.synonym_groups --cedict cedict_1_0_ts_utf-8_mdbg.txt --out F

sudachi: synonyms.txt of SudachiDict; ejdict: src/*.txt of EJDict; cedict: CC-CEDICT's text.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from serving.search.words.analysis import plain_text

_MOST = {"sudachi": 20, "ejdict": 8, "cedict": 10}  # words: more of them are no synonyms
_LONGEST = 16  # characters of a word
_ASIDE = re.compile(r"[(（〈《〔\[][^)）〉》〕\]]*[)）〉》〕\]]")
_UNUSED, _OFFENSIVE = "2", "不快"
_CEDICT = re.compile(r"(?P<old>\S+) (?P<word>\S+) \[(?P<sound>[^\]]*)\] /(?P<glosses>.*)/")
_NO_GLOSS = re.compile(r"CL:|surname|(old |erhua )?variant|erhua|see |used in|abbr")
_ARTICLE = re.compile(r"^(to be|to|an?|the) ")


def of_sudachi(lines: Iterable[str]) -> Iterator[set[str]]:
    """Words by their number of a group, without those that its authors took out or call rude."""
    groups: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        fields = line.rstrip("\n").split(",")
        if len(fields) > 8 and fields[2] != _UNUSED and _OFFENSIVE not in fields[7]:
            groups[fields[0]].add(fields[8])
    yield from groups.values()


def of_ejdict(lines: Iterable[str]) -> Iterator[set[str]]:
    """The Japanese words for one sense of an English word."""
    for line in lines:
        meaning = line.rstrip("\n").partition("\t")[2]
        if not meaning.startswith("="):
            for sense in meaning.split("/"):
                plain = re.sub("[『』]", "", _ASIDE.sub("", sense))
                words = (word.strip(" …") for word in re.split("[,、;]", plain))
                yield {
                    word for word in words if re.fullmatch(r"[\u3040-\u30ff\u4e00-\u9fff]+", word)
                }


def of_cedict(lines: Iterable[str]) -> Iterator[set[str]]:
    """Chinese words, simplified, that one English gloss translates; no names."""
    groups: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        entry = _CEDICT.match(line)
        if entry and not entry["sound"][:1].isupper():
            for gloss in re.split("[/;]", entry["glosses"]):
                if not _NO_GLOSS.match(gloss.strip()):
                    plain = re.sub("[^a-z0-9 -]", " ", _ASIDE.sub(" ", gloss.lower()))
                    groups[_ARTICLE.sub("", " ".join(plain.split()))].add(entry["word"])
    groups.pop("", None)
    yield from groups.values()


def usable(groups: Iterable[set[str]], most: int) -> set[tuple[str, ...]]:
    """Groups of 2 to `most` words, folded; a single character is part of too many words."""
    folded = ({plain_text(word) for word in group} for group in groups)
    short = (tuple(sorted(w for w in group if 1 < len(w) <= _LONGEST)) for group in folded)
    return {group for group in short if 1 < len(group) <= most}


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    readers = {"sudachi": of_sudachi, "ejdict": of_ejdict, "cedict": of_cedict}
    for name in readers:
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    groups: set[tuple[str, ...]] = set()
    for name, read in readers.items():
        lines = [line for path in getattr(given, name) for line in path.read_text().splitlines()]
        groups |= usable(read(lines), _MOST[name])
    given.out.write_text("".join("\t".join(group) + "\n" for group in sorted(groups)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
