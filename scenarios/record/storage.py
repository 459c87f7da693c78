"""Files that are whole or not there at all."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put data in a file's place at once: temporary file, fsync, rename. Raises OSError and leaves the old file."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(data)
        sync(temporary)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the operating system put a file or a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
