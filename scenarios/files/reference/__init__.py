"""The generated pages and schemas of docs/reference: `python -m scenarios.files.reference` writes them anew."""
