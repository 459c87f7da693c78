"""Measuring a real system from outside: probers, watchers, samples, and reading back after the run."""
