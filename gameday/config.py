"""Where the settings are. What reads them, `gameday.settings`, is imported when one is asked for."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gameday.settings import Settings

FILE = "gameday.toml"
TEMPLATE = """\
# Settings of gameday. A flag beats an environment variable GAMEDAY_*, which beats this file.

# Folders with your own scenarios, topologies and procedures; the library is always there.
scenario_paths = ["gamedays"]

# Where records are kept.
runs_folder = "runs"

# Processes that play trials; 0 takes one for each core.
workers = 0

# Targets on AWS that may be broken, a section for each region, and what has to be there before: docs/how-to/eks.md.
# [targets.east]
# account = "123456789012"
# [production]
# windows = ["2026-12-05T02:00:00+00:00/2026-12-05T10:00:00+00:00"]
"""


def find_file(start: Path) -> Path | None:
    """Return the nearest gameday.toml, from a folder upwards."""
    return next((folder / FILE for folder in (start, *start.parents) if (folder / FILE).is_file()), None)


@cache
def settings() -> "Settings":
    """Settings of this call. Raises InvalidFileError."""
    from gameday.settings import read

    return read(find_file(Path.cwd()))
