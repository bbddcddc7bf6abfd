"""Training, evaluation, export and publishing of the ranker. Serving imports none of it."""
