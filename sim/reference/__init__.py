"""The plain SimPy model of the data plane, against which the kernel is checked."""
