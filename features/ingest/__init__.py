"""The process that folds the log into the online store, and the jobs beside it."""
