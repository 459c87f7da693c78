"""The same systems, written the way a good SimPy user would, and again with callbacks."""
