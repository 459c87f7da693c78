"""The decorator of the kernel's functions, and where their machine code is kept.

Numba's cache looks at the caller's own file only, so a digest of all kernel files is part of the folder's name:
a change in any of them compiles anew.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import numba

_HERE = Path(__file__).parent


_PLAIN = {
    "event_plane.py",
    "memory.py",
    "memory_parts.py",
    "plane.py",
    "system.py",
    "timelines.py",
}  # nothing in them is compiled


def kernel_digest() -> str:
    """Digest of all files of the data plane that are compiled, short."""
    text = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")) if path.name not in _PLAIN)
    build = f"{numba.__version__} {os.environ.get('NUMBA_BOUNDSCHECK')}"
    return hashlib.sha256(text + build.encode()).hexdigest()[:12]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gameday" / f"kernel-{kernel_digest()}"


if not os.environ.get("NUMBA_CACHE_DIR"):
    vars(numba.config)["CACHE_DIR"] = str(_cache_folder())

_njit: Any = numba.njit

# Without Numba's runtime: it counts references at each call that passes an array, which costs more than the work.
compiled = _njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=False)
forced = _njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)
allocating = _njit(cache=True, nogil=True, error_model="numpy", forceinline=False)
