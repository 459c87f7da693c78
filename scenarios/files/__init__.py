"""YAML in, units, errors, JSON Schema out."""
