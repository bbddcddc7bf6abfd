"""Does a ranker learn more from what was explored? Heads fitted on one log, judged by the truth."""
