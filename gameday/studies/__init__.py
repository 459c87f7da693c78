"""Studies: many plays of one scenario, judged together."""
