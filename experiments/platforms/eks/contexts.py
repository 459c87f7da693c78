"""One context out of a kubeconfig, as a file of its own: nothing else of it, and no current context to follow."""

import base64
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from experiments.platforms.eks.targets import Target
from experiments.safety.identity import VARIABLE
from experiments.testbed.state import Identity
from scenarios.errors import Problem, UsageError
from scenarios.record.storage import problem_of

_FILES = {  # key of a file that a kubeconfig may name: key that holds its content
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}


def extract(target: Target, folder: Path) -> Path:
    """Write `kubeconfig-REGION.yaml` of a target into a folder; return its path.

    Raises:
        UsageError: the target names no context, its kubeconfig has none of that name, or there is no room for a copy.
    """
    name, source = target.need("context"), _source(target)
    document = _read(source, target)
    context = dict(_named(document, "contexts", name, source)["context"])
    cluster = _named(document, "clusters", str(context.get("cluster")), source)
    user = _named(document, "users", str(context.get("user")), source)
    for entry in (cluster["cluster"], user["user"] or {}):
        _embed(entry, source)
    alone = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": target.name,
        "contexts": [{"name": target.name, "context": context}],
        "clusters": [cluster],
        "users": [user],
    }
    copy = folder / f"kubeconfig-{target.region}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        copy.touch(0o600)
        with copy.open("w", encoding="utf-8") as file:
            _yaml().dump(alone, file)
    except OSError as error:
        raise UsageError(problem_of(copy, error, "room for a copy of the kubeconfig")) from error
    return copy


@contextmanager
def given(targets: Mapping[str, Target], folder: Path) -> Iterator[dict[str, Identity]]:
    """Within it this process reaches each region by its target's context; yields what each has to be.

    Raises as `extract`.
    """
    for target in targets.values():
        extract(target, folder)
    with patch.dict(os.environ, {VARIABLE: str(folder)}):
        try:
            yield {
                region: Identity(target.name, target.kube_system_uid, target.ca_sha256)
                for region, target in targets.items()
            }
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _yaml() -> YAML:
    reader = YAML(typ="safe")
    reader.default_flow_style = False  # one key a line, so that what is secret in it is found
    return reader


def _source(target: Target) -> Path:
    if target.kubeconfig:
        return Path(target.kubeconfig).expanduser()
    files = [file for file in os.environ.get("KUBECONFIG", "").split(os.pathsep) if file]
    return Path(files[0]) if files else Path.home() / ".kube" / "config"


def _read(source: Path, target: Target) -> Mapping[str, Any]:
    expected = f"the kubeconfig of {target.name}"
    try:
        document = _yaml().load(source.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "Name the file as `kubeconfig` of the target, or set KUBECONFIG."
        raise UsageError(Problem(str(source), str(error.strerror), expected, remedy)) from error
    except (YAMLError, ValueError) as error:
        found = str(error).splitlines()[0]
        raise UsageError(Problem(str(source), found, expected, "Mend the file.")) from error
    if not isinstance(document, dict):
        raise UsageError(Problem(str(source), "no kubeconfig", expected, "Mend the file."))
    return document


def _named(document: Mapping[str, Any], kind: str, name: str, source: Path) -> dict[str, Any]:
    entries = [entry for entry in document.get(kind) or [] if isinstance(entry, dict) and entry.get("name") == name]
    inner = kind.removesuffix("s")
    if not entries or not isinstance(entries[0].get(inner), dict):
        known = ", ".join(str(entry.get("name")) for entry in document.get(kind) or []) or "none"
        remedy = "`aws eks update-kubeconfig` adds it; name it as `context` of the target."
        raise UsageError(Problem(str(source), f"{kind}: {known}", f"`{name}`", remedy))
    return entries[0]


def _embed(entry: dict[str, Any], source: Path) -> None:
    """Put the content of files in the place of their names: the copy stands by itself."""
    for key, inside in _FILES.items():
        if file := entry.pop(key, None):
            try:
                content = (source.parent / str(file)).read_bytes()
            except OSError as error:
                raise UsageError(
                    Problem(str(source), f"{key} {file}: {error.strerror}", "a file", "Mend the kubeconfig.")
                ) from error
            entry[inside] = base64.b64encode(content).decode()
