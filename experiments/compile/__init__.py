"""A scenario as an ordinary Chaos Toolkit experiment, and the process that plays it in a game day."""
