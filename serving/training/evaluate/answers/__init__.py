"""Are answers found, and hand-overs right? Measured on judged pairs of questions."""
