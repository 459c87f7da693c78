"""Plots as inline SVG. matplotlib is imported by these modules only, so that a terminal answers at once."""
