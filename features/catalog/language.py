"""Which language a catalogue is in, as far as its titles tell."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

ENGLISH = "en"
_N_TITLES = 2_000  # of a catalogue: more do not change the picture
_SURE = 0.9  # of a title alone: two of three are too short to say, and have no vote
_TOGETHER = 8  # titles judged as one text where single ones are not sure
_FEWEST = 5  # votes
_NEARLY_ALL = 0.9
# Letters that tell more than statistics: Japanese titles of Chinese characters alone are the fewer.
_SCRIPTS = {
    "ja": re.compile(r"[\u3041-\u30ff\uff66-\uff9d]"),
    "ko": re.compile(r"[\uac00-\ud7a3]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
}


def dominant_language(titles: Sequence[str]) -> str:
    """ISO 639-1 code of the language of most titles; "en" for none or too little to tell."""
    votes = _votes(titles)
    return votes.most_common(1)[0][0] if votes else ENGLISH


def nearly_all_english(titles: Sequence[str]) -> bool:
    """Whether at least nine of ten titles that tell their language are English."""
    votes = _votes(titles)
    return votes[ENGLISH] >= _NEARLY_ALL * votes.total()


def languages(titles: Sequence[str]) -> dict[str, float]:
    """Share of each language among the titles of a sample that tell theirs, the largest first."""
    votes = _votes(titles)
    return {language: votes[language] / votes.total() for language, _ in votes.most_common()}


def _votes(titles: Sequence[str]) -> Counter[str]:
    """How many titles of a sample are surely in each language; titles without a letter are not."""
    step = max(1, len(titles) // _N_TITLES)
    # Capitals are another alphabet to the identifier.
    sample = [title.lower() for title in titles[::step] if any(map(str.isalpha, title))]
    votes = Counter(filter(None, map(_language, sample)))
    if votes.total() >= _FEWEST:
        return votes
    starts = range(0, len(sample), _TOGETHER)
    together = [" . ".join(sample[start : start + _TOGETHER]) for start in starts]
    return Counter(filter(None, map(_language, together)))


def _language(text: str) -> str | None:
    """Of one title; None where it is not sure."""
    for language, letters in _SCRIPTS.items():
        if letters.search(text):
            return language
    language, share = _identifier().classify(text)
    return str(language) if share >= _SURE else None


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
