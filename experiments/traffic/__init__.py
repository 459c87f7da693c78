"""Load on a real system: an open-loop sender of numbered orders, and the runbook's load tests as Locust users."""
