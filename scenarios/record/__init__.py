"""RunRecord: raw facts of one run on disk, the same from the twin and from a cluster."""
