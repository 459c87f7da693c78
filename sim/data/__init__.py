"""Data plane: millions of plain requests through replicas and pools (docs/explanation/data-plane.md)."""
