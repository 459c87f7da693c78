"""Scenarios, and the record of a run: what everything else is written against. Imports nothing of ours."""
