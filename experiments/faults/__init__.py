"""Faults on a real system, one file each: how it is injected, when it has landed, how it is lifted, when it is gone."""
