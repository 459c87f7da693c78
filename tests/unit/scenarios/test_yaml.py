"""Reading files: plain values with their places, and what is no readable page of YAML."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scenarios.errors import InvalidFileError, Problem
from scenarios.files.yaml import read


def problem(file: Path) -> Problem:
    with pytest.raises(InvalidFileError) as raised:
        read(file)
    (found,) = raised.value.problems
    assert found.found
    assert found.expected
    assert found.remedy
    return found


def put(folder: Path, content: str | bytes) -> Path:
    file = folder / "a.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_values_are_plain(tmp_path: Path) -> None:
    text = "a: no\nb: 12:30\nc: 2024-01-15\nd: '7'\ne: 7\nf: 7.5\ng: ~\nh: true\ni: 0o17\nj: |\n  x\n"
    values = read(put(tmp_path, text)).values
    assert list(values.values()) == ["no", "12:30", "2024-01-15", "7", 7, 7.5, None, True, "0o17", "x\n"]


def test_each_value_has_its_place(tmp_path: Path) -> None:
    document = read(put(tmp_path, "a:\n  - {b: 1}\n  - {b: 2,\n     c: 3}\n"))
    assert document.where("a.1.c").endswith("a.yaml:4:6 (a.1.c)")
    assert document.where("a.0.nothing").endswith("a.yaml:2:5 (a.0.nothing)")  # the nearest that is known
    assert document.where("").endswith("a.yaml:1:1")


def test_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    assert read(put(tmp_path, "\ufeffa: 1\r\nb: 2\r\n")).values == {"a": 1, "b": 2}


def test_sources_of_values(tmp_path: Path) -> None:
    file = put(tmp_path, "a: {b: {value: 3, tag: J, source: x, range: [1, 5]}}\nc: {value: 3}\n")
    document = read(file, sourced=True)
    assert document.values == {"a": {"b": 3}, "c": {"value": 3}}
    assert document.provenance == {"a.b": {"value": 3, "tag": "J", "source": "x", "range": [1, 5]}}
    assert read(file).values["a"]["b"]["tag"] == "J"


def huge(folder: Path) -> Path:
    file = folder / "huge.yaml"
    with file.open("wb") as out:
        out.truncate(50_000_000)
    return file


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.yaml")
    return folder / "pipe.yaml"


def loop(folder: Path) -> Path:
    (folder / "loop.yaml").symlink_to("loop.yaml")
    return folder / "loop.yaml"


ODD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "50 MB": (huge, "50000000 bytes"),
    "a directory": (lambda folder: folder, "a directory"),
    "missing": (lambda folder: folder / "none.yaml", "no such file"),
    "a pipe": (pipe, "not a plain file"),
    "a device": (lambda _: Path("/dev/zero"), "not a plain file"),
    "a loop of links": (loop, "symbolic links"),
    "a name that is too long": (lambda folder: folder / ("x" * 300), "too long"),
    "a null byte in the name": (lambda folder: folder / "a\0b", "null"),
    "below a file": (lambda folder: put(folder, "a: 1") / "b.yaml", "not a directory"),
    "empty": (lambda folder: put(folder, ""), "nothing"),
    "comments only": (lambda folder: put(folder, "# nothing\n"), "nothing"),
    "a list": (lambda folder: put(folder, "- a\n"), "a list"),
    "a word": (lambda folder: put(folder, "word"), "text"),
    "a number": (lambda folder: put(folder, "7"), "a number"),
    "not UTF-8": (lambda folder: put(folder, b"a: 1\nb: caf\xe9\n"), "not UTF-8"),
    "UTF-16": (lambda folder: put(folder, "a: 1".encode("utf-16")), "not UTF-8"),
    "a null": (lambda folder: put(folder, "a: 1\nb: x\0y\n"), "control character U+0000"),
}


@pytest.mark.parametrize("case", ODD.values(), ids=ODD)
def test_odd_files(case: tuple[Callable[[Path], Path], str], tmp_path: Path) -> None:
    make, found = case
    assert found in problem(make(tmp_path)).found


def test_line_of_what_is_not_text(tmp_path: Path) -> None:
    assert problem(put(tmp_path, b"a: 1\nb: caf\xe9\n")).where.endswith("a.yaml:2")
    assert problem(put(tmp_path, "a: 1\nb: x\0y\n")).where.endswith("a.yaml:2")
    assert problem(put(tmp_path, 'a: 1\nb: "\\U99999999"\n')).where.endswith("a.yaml:2")


def test_no_permission(tmp_path: Path) -> None:
    file = put(tmp_path, "a: 1")
    file.chmod(0)
    tmp_path.chmod(0o755)
    root = os.geteuid() == 0  # who may read everything
    try:
        if root:
            os.seteuid(65534)
        found = problem(file)
    finally:
        if root:
            os.seteuid(0)
    assert found.found == "permission denied"
    assert str(file) in found.where
