"""`python -m experiments.traffic`: the sender of orders, or Locust, told by its standard input what to send."""

import sys

from experiments.observe.child import main

if __name__ == "__main__":
    sys.exit(main({"sender": "experiments.traffic.sender", "locust": "experiments.traffic.locust_run"}))
