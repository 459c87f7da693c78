"""The twin: a discrete-event model of the trading system. SimPy control plane, compiled data plane."""
