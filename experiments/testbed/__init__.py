"""The testbed: a small real trading system in two kind clusters."""
