"""Query or items to candidates: lexical and dense indexes over the catalogue."""
