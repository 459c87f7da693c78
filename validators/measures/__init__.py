"""One file per row of what is measured: record -> Measurement."""
