"""Words that say nothing of what is wanted: "for", "mit", "de"."""

import tantivy

from serving.search.words.analysis import STEMMERS


class StopWords:
    """Of a language, as tantivy lists them; none where it has no list."""

    def __init__(self, language: str) -> None:
        name = STEMMERS.get(language, "")
        raw = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
        try:
            self._analyzer = raw.filter(tantivy.Filter.stopword(name)).build()
        except ValueError:
            self._analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).build()

    def __call__(self, word: str) -> bool:
        """Whether a folded word is one of them."""
        return not self._analyzer.analyze(word)
