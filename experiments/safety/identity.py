"""Targets are known by what they are, never by a context's name or by which one is current.

A cluster is known by the UID of its namespace kube-system and by the fingerprint of its API's certificate authority.
A run copies the kubeconfigs at its start, and asks each what it reaches: a kubeconfig that was changed in the
meantime, or points elsewhere, stops the run before anything is broken.
"""

import contextlib
import hashlib
import os
import shutil
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.platforms.kube import UNUSABLE
from experiments.platforms.platform import platform
from experiments.platforms.site import site
from experiments.testbed import state
from experiments.testbed.kept import written
from experiments.testbed.system.apiserver import ApiServer, ApiServerError
from scenarios.errors import Problem, UsageError

CALL_S = 5.0
VARIABLE = "GAMEDAY_KUBECONFIGS"  # read by `layout.kubeconfig_folder`


class WrongTargetError(UsageError):
    """What is reached is not what was meant (exit code 2)."""


@dataclass(frozen=True)
class Reached:
    """What a kubeconfig reaches."""

    uid: str  # of the namespace kube-system
    ca_sha256: str  # of the API's certificate authority, DER


def reached(kubeconfig: Path) -> Reached:
    """Ask a kubeconfig what it reaches. Raises WrongTargetError when nothing answers that its authority vouches for."""
    try:
        server = ApiServer(kubeconfig)
        namespace = server.get("/api/v1/namespaces/kube-system", timeout_s=CALL_S)
        return Reached(str(namespace["metadata"]["uid"]), fingerprint(server.authority))
    except (ApiServerError, *UNUSABLE) as error:
        raise WrongTargetError(
            Problem(str(kubeconfig.name), str(error), "its own cluster", platform().SILENT)
        ) from error


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate in PEM, over its DER."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def copied(folder: Path, expected: Mapping[str, state.Identity] | None = None) -> Path:
    """Copy each region's kubeconfig into a run's folder and make sure that it reaches what was made.

    Args:
        folder: where the copies go; readable by nobody else.
        expected: identities by region; nothing: those in testbed.json.

    Returns:
        The folder.

    Raises:
        WrongTargetError: a region has no identity or kubeconfig, or something else answers.
        TestbedError: there is no room for the copies.
    """
    known = state.read().identities if expected is None else expected
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    problems = []
    for region, place in site().places.items():
        copy = folder / f"kubeconfig-{region}.yaml"
        try:
            shutil.copyfile(place.kubeconfig, copy)
            copy.chmod(0o600)
        except OSError as error:
            remedy = "Run `gameday testbed up`."
            problems.append(Problem(str(place.kubeconfig), str(error.strerror), "the region's kubeconfig", remedy))
            continue
        problems += _different(region, copy, known)
    if problems:
        raise WrongTargetError(*problems)
    return folder


@contextlib.contextmanager
def used(expected: Mapping[str, state.Identity] | None = None) -> Iterator[Path]:
    """Within it this process, and those that it starts, reach the regions by copies of their own in the state folder.

    Nothing of them stays behind; copies of processes that were killed are removed.

    Raises:
        WrongTargetError, TestbedError: as `copied`.
    """
    folders = site().state / "targets"
    _remove_dead(folders)
    folder = folders / str(os.getpid())
    before = os.environ.get(VARIABLE)
    try:
        copied(folder, expected)
        os.environ[VARIABLE] = str(folder)
        yield folder
    finally:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(folder, ignore_errors=True)
        if before is not None:
            os.environ[VARIABLE] = before


def _remove_dead(folders: Path) -> None:
    """Remove the copies of processes that are no more."""
    for folder in folders.glob("*"):
        try:
            os.kill(int(folder.name), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue  # it lives, as another user's


def refuse_others(known: Mapping[str, state.Identity]) -> None:
    """Refuse regions that are known to be others than those that were made, before anything is undone there.

    One that does not answer is not refused: it may be what has to be undone.

    Raises:
        WrongTargetError: a kubeconfig names another authority, or another cluster answers.
    """
    problems = []
    for region, want in known.items():
        kubeconfig = site().places[region].kubeconfig
        try:
            authority = fingerprint(ApiServer(kubeconfig).authority)
        except (ApiServerError, *UNUSABLE):
            continue  # nothing is reached by it
        try:
            found = reached(kubeconfig)
        except WrongTargetError:
            found = Reached(want.uid, authority)
        problems += _unlike(region, found, want)
    if problems:
        raise WrongTargetError(*problems)


def _different(region: str, kubeconfig: Path, known: Mapping[str, state.Identity]) -> list[Problem]:
    if region not in known:
        return [Problem("testbed.json", f"nothing about {region}", "its identity", "Run `gameday testbed up`.")]
    try:
        found = reached(kubeconfig)
    except WrongTargetError as error:
        return list(error.problems)
    return _unlike(region, found, known[region])


def _unlike(region: str, found: Reached, want: state.Identity) -> list[Problem]:
    where = f"target {region}"
    remedy = platform().WRONG
    pairs = (("kube-system", found.uid, want.uid), ("certificate authority", found.ca_sha256, want.ca_sha256))
    return [Problem(where, f"{what} {has}", f"{what} {wanted}", remedy) for what, has, wanted in pairs if has != wanted]
