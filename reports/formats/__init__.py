"""One file per format; each has `render(report) -> str`."""
