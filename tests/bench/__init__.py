"""How fast the twin is: ratios in one process on one machine (`make bench`, `make bench-gates`)."""
