"""What a model alone cannot check: names that must exist, times that must not overlap, cycles, limits of a kind."""
