"""The command line of gameday."""
