"""The roles of the image, and how one is started."""

import importlib
import logging
import sys
from collections.abc import Sequence

from .settings import SettingError

# Each is a module here with a function `run() -> int`; only the one that is asked for is imported.
ROLES = ("strategic", "tactical", "risk", "automation", "copies", "outside", "link", "reverter", "lease", "mailbox")


def main(arguments: Sequence[str]) -> int:
    """Play the role that the arguments name.

    Args:
        arguments: One word, a role.

    Returns:
        The exit code: 2 for a role or a setting that cannot be.
    """
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.stderr.write(f"usage: python -m system ROLE, where ROLE is one of {', '.join(ROLES)}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # one warning for each failed attempt would be hundreds
    try:
        return int(importlib.import_module(f".{arguments[0]}", __package__).run())
    except SettingError as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 2
