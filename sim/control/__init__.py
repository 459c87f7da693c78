"""Control plane of the twin on SimPy, one file per mechanism. Rare, rich happenings."""
