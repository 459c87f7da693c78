"""`python -m gameday`."""

from gameday.cli.main import main

main()
