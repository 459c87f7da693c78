"""Writes a record and an ensemble on disks of every small size, then on one that cannot be written to.

`unshare -rm python -m tests.unit.record.small_disks FOLDER` mounts them where only this process sees them, and copies
what is left on each to FOLDER. It prints a line of JSON for each: what, pages, and what the writer said.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from scenarios.errors import RecordError
from tests.unit.record.writing import WRITERS

PAGE = 4096


def mounted(folder: Path, options: str) -> None:
    """Put an empty disk in memory over a folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(folder)], check=True)


def written(what: str, disk: Path, kept: Path) -> dict[str, object]:
    """Write, keep what is on the disk, and return what was said."""
    noted: list[str] = []
    said = None
    try:
        WRITERS[what](disk / what, noted.append)
    except RecordError as error:
        said = [vars(problem) for problem in error.problems]
    if disk.exists():
        shutil.copytree(disk, kept, dirs_exist_ok=True)
    return {"what": what, "acknowledged": "".join(noted), "said": said, "kept": str(kept)}


def main(folder: Path) -> None:
    """Print a line for each disk."""
    disk = folder / "disk"
    for what in WRITERS:
        for pages in range(1, 14):
            mounted(disk, f"size={pages * PAGE}")
            line = written(what, disk, folder / f"{what}-{pages}")
            sys.stdout.write(json.dumps({"pages": pages, **line}) + "\n")
            subprocess.run(["umount", str(disk)], check=True)
        mounted(disk, "ro")
        line = written(what, disk, folder / f"{what}-ro")
        sys.stdout.write(json.dumps({"pages": None, **line}) + "\n")
        subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
