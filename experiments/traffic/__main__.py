"""`python -m experiments.traffic`: the sender of orders, told by its standard input what to send."""

import os

from experiments.observe.child import main

if __name__ == "__main__":
    # Everything was sent. Threads that still wait for an API would make the interpreter's own end abort.
    os._exit(main({"sender": "experiments.traffic.sender"}, ("sender",)))
