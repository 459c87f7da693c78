"""Game days: the same scenario on a real cluster, measured from outside, undone whatever happens."""
