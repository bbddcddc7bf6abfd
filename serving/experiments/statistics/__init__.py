"""The statistics of experiments on plain arrays: the shopper is the unit, and any day may look."""
