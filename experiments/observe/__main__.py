"""`python -m experiments.observe`: a measuring process, told by its standard input which."""

import os

from experiments.observe.child import main

if __name__ == "__main__":
    # Everything was sent. Threads that still wait for an API would make the interpreter's own end abort.
    os._exit(main({"probers": "experiments.observe.probers", "watchers": "experiments.observe.watchers"}, ("probers",)))
