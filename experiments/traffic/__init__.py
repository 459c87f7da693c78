"""Load on a real system: an open-loop sender of numbered orders, and users played by Locust; both record alike."""

from pathlib import Path

# How users are played: arguments of Python. Locust changes how sockets wait, so that it is a process of its own.
LOCUST = (
    "locust", "-f", str(Path(__file__).with_name("locustfile.py")), "--headless", "--only-summary", "--skip-log",
    "--recorded",
)  # fmt: skip
