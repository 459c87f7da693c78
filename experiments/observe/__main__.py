"""`python -m experiments.observe`: a measuring process, told by its standard input which."""

import sys

from experiments.observe.child import main

if __name__ == "__main__":
    sys.exit(main({"probers": "experiments.observe.probers", "watchers": "experiments.observe.watchers"}))
