"""The write-ahead ledger of faults: what is about to be broken, on disk before it is.

One JSON object a line. An entry is on the disk when `append` returns, so whoever comes after a SIGKILL, or after a
power cut, knows what may be broken and how it is lifted. A torn last line was never promised to anybody.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiments.faults.verbs import Lift, from_json
from experiments.platforms.site import site
from experiments.safety.secrets import of_this_process
from experiments.testbed.system.lifting import Result
from scenarios.errors import GamedayError, Problem

# opened: a run began, with the primary at `home`; its record grows in the folder `record`. armed: may be broken from
# now on. failed: a lift did not work. cut: these nodes are about to be cut from the network, and had these addresses.
# counted: counters in the targets. trading: a step of the run is about to disable, or enable, trading in a region.
Kind = Literal["opened", "armed", "lifted", "failed", "cut", "counted", "trading"]
_FIELDS = {"at_us", "kind", "run", "fault", "lifts"}  # of every entry


class JournalError(GamedayError, OSError):
    """The ledger cannot be written, so nothing may be broken; or it cannot be read."""


@dataclass(frozen=True)
class Held:
    """A fault that may still be there, and how it is lifted."""

    run: str
    fault: str
    lifts: tuple[Lift, ...]
    since_us: int  # epoch


class Journal:
    """The ledger of this machine for its site; several processes may append to it at once."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or site().state / "faults.jsonl"

    def append(self, kind: Kind, run: str, fault: str = "", lifts: Sequence[Lift] = (), **detail: Any) -> None:
        """Append an entry; it is on the disk when this returns. Raises JournalError."""
        lines = [lift.to_json() for lift in lifts]
        # The lifts stay as they are, for they are carried out from here; what was said is said without credentials.
        said = of_this_process(place.kubeconfig for place in site().places.values()).value(detail)
        entry = {"at_us": time.time_ns() // 1000, "kind": kind, "run": run, "fault": fault, "lifts": lines, **said}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = not self.path.exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            file = os.open(self.path, flags, 0o600)
            try:
                text = ("" if self._ends_whole() else "\n") + json.dumps(entry) + "\n"
                written = os.write(file, text.encode())
                if written != len(text.encode()):
                    raise OSError(28, "only a part of the entry was written")
                os.fsync(file)
            finally:
                os.close(file)
            if new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise JournalError(
                Problem(str(self.path), error.strerror or str(error), "room for the ledger of faults", "Make room.")
            ) from error

    def _ends_whole(self) -> bool:
        """Whether the last line is complete; a torn one must not swallow the next entry."""
        with self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def held(self) -> list[Held]:
        """Faults that may still be there, in the order in which they were armed. Raises JournalError."""
        found: dict[tuple[str, str], Held] = {}
        for entry in self._entries():
            key = entry["run"], entry["fault"]
            if entry["kind"] == "armed":
                lifts = tuple(from_json(lift) for lift in entry["lifts"])
                found[key] = Held(*key, lifts, entry["at_us"])
            elif entry["kind"] == "lifted":
                found.pop(key, None)
        return list(found.values())

    def strike(self, lifts: Sequence[Lift], results: Sequence[Result], by: str) -> None:
        """Strike off what is armed and was lifted now; of what was tried in vain, say so. Raises JournalError."""
        done = {_key(lift): result.ok for lift, result in zip(lifts, results, strict=True)}
        for held in self.held():
            if all(_key(lift) in done for lift in held.lifts):
                kind: Kind = "lifted" if all(done[_key(lift)] for lift in held.lifts) else "failed"
                words = [f"{result.verb} {result.target}: {result.detail}" for result in results if not result.ok]
                self.append(kind, held.run, held.fault, by=by, why=words)

    def home(self) -> str:
        """Region of the primary when the last run began; empty when there was none. Raises JournalError."""
        return next((str(entry.get("home", "")) for entry in reversed(self._all()) if entry["kind"] == "opened"), "")

    def last_run(self) -> str:
        """Name of the last run that began; empty when there was none. Raises JournalError."""
        return next((entry["run"] for entry in reversed(self._all()) if entry["kind"] == "opened"), "")

    def last_record(self) -> str:
        """Folder of the record of the last run that began; empty when none is known. Raises JournalError."""
        return next((str(entry.get("record", "")) for entry in reversed(self._all()) if entry["kind"] == "opened"), "")

    def cut(self) -> dict[str, str]:
        """Nodes that were cut from the network in the last run by this machine's processes, with their addresses."""
        last: dict[str, Any] = next(
            (entry for entry in reversed(self._all()) if entry["kind"] in ("cut", "opened")), {}
        )
        return dict(last.get("nodes", {}))

    def keep_cut(self, nodes: Mapping[str, str]) -> None:
        """Note the nodes that are cut, before they are. Raises JournalError."""
        self.append("cut", "", nodes=dict(nodes))

    def disabled_trading(self) -> dict[str, str]:
        """Regions where a run's step has disabled trading, and none has enabled it since, with the run's name.

        Raises JournalError.
        """
        last = {str(entry["region"]): entry for entry in self._all() if entry["kind"] == "trading"}
        return {region: str(entry["run"]) for region, entry in last.items() if not entry["enabled"]}

    def forget(self) -> None:
        """Put the ledger aside, for everything was made whole: the file stays as `faults.previous.jsonl`."""
        if self.path.exists():
            self.path.replace(self.path.with_suffix(".previous.jsonl"))
            _sync_folder(self.path.parent)

    def _all(self) -> list[dict[str, Any]]:
        return list(self._entries())

    def _entries(self) -> Iterator[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise JournalError(
                Problem(str(self.path), str(error.strerror), "the ledger of faults", "Make it readable.")
            ) from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # torn: the writer died before it was told that the entry is there
            if not isinstance(entry, dict) or not _FIELDS.issubset(entry):
                remedy = "See what is broken, mend it by hand, and remove the line; `gameday undo` then goes on."
                raise JournalError(Problem(str(self.path), f"the line {line[:80]}", "an entry of the ledger", remedy))
            yield entry


def _key(lift: Lift) -> str:
    return json.dumps(lift.to_json(), sort_keys=True)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
