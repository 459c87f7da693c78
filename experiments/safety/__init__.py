"""Safety of a game day: what is broken is known, is lifted whatever happens, and nothing else is touched."""
