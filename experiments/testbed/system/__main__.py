"""`python -m system ROLE`."""

import sys

from .roles import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
