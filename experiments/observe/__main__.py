"""`python -m experiments.observe`: a measuring process, told by its standard input which."""

import sys

from experiments.observe import probers, watchers
from experiments.observe.child import main

if __name__ == "__main__":
    sys.exit(main({"probers": probers.work, "watchers": watchers.work}))
