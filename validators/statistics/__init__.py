"""Intervals: of proportions over trials, of means over batches."""
