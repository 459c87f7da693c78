"""`python -m experiments.traffic`: the sender of orders, told by its standard input what to send."""

import sys

from experiments.observe.child import main
from experiments.traffic import sender

if __name__ == "__main__":
    sys.exit(main({"sender": sender.work}))
