"""A disk that is full or cannot be written to: a clear error, and nothing half-written is taken for whole."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scenarios.errors import RecordError
from scenarios.record.ensemble import HEAD as ENSEMBLE_HEAD
from scenarios.record.ensemble import EnsembleWriter, read_ensemble
from scenarios.record.reader import RunRecord
from scenarios.record.storage import replace_file
from scenarios.record.writer import RunWriter
from tests.unit.record.test_killed import check_run
from tests.unit.record.writing import HEAD, TRIALS, WRITERS, trial, write_run, write_trials

ROOT = Path(__file__).parents[3]
FULL = "no space left on device"


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What was said, and kept, on disks of 1, 2, 3 ... pages, and on one that is read-only."""
    folder = tmp_path_factory.mktemp("disks")
    command = ["unshare", "-rm", sys.executable, "-m", "tests.unit.record.small_disks", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.needs("unshare")
@pytest.mark.proves("a full disk gives a clear error and leaves a readable record that says interrupted")
def test_a_full_disk_keeps_what_was_written(disks: list[dict[str, Any]]) -> None:
    full = [d for d in disks if d["pages"] and d["said"]]
    assert {d["what"] for d in full} == set(WRITERS)
    for disk in full:
        assert {p["found"] for p in disk["said"]} == {FULL}
        assert all("Free some space" in p["remedy"] and p["where"].endswith(p_end(p)) for p in disk["said"])
    for disk in (d for d in disks if d["pages"]):
        kept, known = Path(disk["kept"]) / disk["what"], disk["acknowledged"]
        if disk["what"] == "run":
            said_end = check_run(kept, known)
        else:
            ensemble = read_ensemble(kept)
            assert len(known) <= len(ensemble.trials) <= len(known) + 1
            assert ensemble.trials == [trial(t.trial) for t in ensemble.trials]
            said_end = ensemble.head["termination"]
            assert said_end == "interrupted" or len(ensemble.trials) == TRIALS
        assert said_end == "complete" or disk["said"]
        assert disk["said"] or not list(kept.glob("*.arrows"))
        assert not list(kept.glob("*.tmp"))


def p_end(problem: dict[str, str]) -> str:
    """The file or folder that a problem names must be one of a record."""
    name = Path(problem["where"]).name
    assert name in ("run", "ensemble") or name.endswith((".parquet", ".json"))
    return name


@pytest.mark.needs("unshare")
@pytest.mark.proves("a read-only disk gives a clear error and leaves nothing")
def test_a_read_only_disk_leaves_nothing(disks: list[dict[str, Any]]) -> None:
    for disk in (d for d in disks if d["pages"] is None):
        assert [p["found"] for p in disk["said"]] == ["read-only file system"]
        assert "may write to" in disk["said"][0]["remedy"]
        assert list(Path(disk["kept"]).iterdir()) == []


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    replace_file(path, b"old")
    with no_file_longer_than(500), pytest.raises(OSError, match="large"):
        replace_file(path, b"new" * 1_000)
    assert (path.read_bytes(), [f.name for f in tmp_path.iterdir()]) == (b"old", ["run.json"])
    replace_file(path, b"new" * 1_000)
    assert path.read_bytes() == b"new" * 1_000


@pytest.mark.parametrize("size", [0, 100, 250, 700, 2_000, 3_500])
def test_a_limit_on_files_keeps_what_was_written(tmp_path: Path, size: int) -> None:
    noted: list[str] = []
    with no_file_longer_than(size), pytest.raises(RecordError) as caught:
        write_run(tmp_path / "run", noted.append)
    assert all("ulimit" in p.remedy and p.found == "file too large" for p in caught.value.problems)
    if (tmp_path / "run").exists():
        assert check_run(tmp_path / "run", "".join(noted)) == "interrupted"
    else:
        assert (noted, list(tmp_path.iterdir())) == ([], [])


def test_a_stream_that_cannot_become_parquet_stays_and_is_read_in_its_stead(tmp_path: Path) -> None:
    noted: list[str] = []

    def stand_in_the_way(letter: str) -> None:
        noted.append(letter)
        (tmp_path / "run" / "probes.parquet.tmp").mkdir(exist_ok=True)

    with pytest.raises(RecordError, match=r"probes\.parquet.*room to rewrite the stream, which stays"):
        write_run(tmp_path / "run", stand_in_the_way)
    assert check_run(tmp_path / "run", "".join(noted)) == "complete"
    assert {f.name for f in (tmp_path / "run").glob("*.arrows")} == {"probes.arrows"}


def test_after_a_failure_nothing_more_is_taken(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", HEAD)
    ensemble = EnsembleWriter(tmp_path / "ensemble", {})
    with no_file_longer_than(0):
        for call in (lambda: writer.mark(0, "load_started", "client"), lambda: ensemble.add(trial(0))):
            with pytest.raises(RecordError):
                call()
    for call in (
        lambda: writer.mark(0, "load_started", "client"),
        lambda: writer.append("samples", {"t_us": [1], "subject": "x", "name": "y", "value": [1.0]}),
        lambda: writer.close("complete"),
        lambda: ensemble.add(trial(1)),
        lambda: ensemble.close("complete"),
    ):
        with pytest.raises(RecordError, match="file too large"):
            call()
    assert RunRecord(tmp_path / "run").interrupted
    assert read_ensemble(tmp_path / "ensemble").interrupted


@pytest.mark.parametrize("what", WRITERS)
def test_a_folder_that_exists_is_left_alone(tmp_path: Path, what: str) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "mine").write_text("precious")
    with pytest.raises(RecordError, match="file exists"):
        WRITERS[what](tmp_path / "it", lambda _: None)
    assert [f.name for f in (tmp_path / "it").iterdir()] == ["mine"]
    assert [f.name for f in tmp_path.iterdir()] == ["it"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; the read-only disk stands in")
@pytest.mark.parametrize("what", WRITERS)
def test_a_folder_without_permission(tmp_path: Path, what: str) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(RecordError, match="permission denied"):
        WRITERS[what](tmp_path / "closed" / "it", lambda _: None)


def test_a_file_in_the_place_of_the_runs_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"file exists|not a directory"):
        write_trials(tmp_path / "file" / "it")
    assert ENSEMBLE_HEAD not in {f.name for f in tmp_path.rglob("*")}
