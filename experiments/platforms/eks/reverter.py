"""The reverter of a game day on EKS: a process of its own on the runner's machine, and pods for which it speaks.

    python -m experiments.platforms.eks.reverter

It outlives the runner: it has a session of its own, kubeconfigs of its own, and a plan on disk that it takes up again
when it is started anew. It knows what the testbed's reverter knows (`experiments.testbed.system.watch`), over HTTP on
loopback under a path that only who can read its file knows. It ends when nothing was held and nobody heard for long.
What a pod in a cluster that the fault does not touch can lift, it hands on to that pod (`holders`), which lifts when
nothing is heard any more: neither of the runner nor of this process, nor of this machine.

Its settings are one line of JSON on stdin: `site`, `folder`, `silent_s`, `pods` (region that each lifts on: region in
whose cluster it is). It answers with one line: its URL.
"""

import contextlib
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from experiments.platforms.eks.boxes import boxes
from experiments.platforms.eks.holders import Holder, Holders
from experiments.platforms.platform import platform
from experiments.platforms.site import Site, enter
from experiments.testbed.system.lifting import TIMEOUT_S, call_url
from experiments.testbed.system.plan import Plan, PlanError, Store
from experiments.testbed.system.watch import SILENT_S, RefusedError, Watch
from scenarios.errors import GamedayError, Problem

FILE = "reverter.json"
LOG = "reverter.log"
IDLE_S = 900.0  # with nothing held, and nobody heard: it ends
STARTS_WITHIN_S = 20.0
LOOK_S = 5.0
ASKED_S = 3.0


class NoReverterError(GamedayError, RuntimeError):
    """There is no reverter, and none can be started: nothing may be broken."""


# --- seen from a run


def running(folder: Path) -> str:
    """URL of the reverter of this folder; empty when none answers."""
    try:
        url = str(json.loads((folder / FILE).read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return ""
    return "" if _ask(url)[0] in (0, 404) else url  # one of its pods may be silent: that is another answer


def started(site: Site, kubeconfigs: Path, silent_s: float = SILENT_S, pods: Mapping[str, str] | None = None) -> str:
    """Start a reverter for a site, or keep the one that still holds faults; return its URL.

    Args:
        site: whose targets it lifts on.
        kubeconfigs: folder with `kubeconfig-REGION.yaml` of each region; it gets copies of its own.
        silent_s: seconds without a heartbeat until it lifts.
        pods: for which it speaks; they may be made later. Region that each lifts on: region in whose cluster it is.

    Raises:
        NoReverterError: it does not start.
    """
    folder = site.state / "reverter"
    if url := running(folder):
        status, text = _ask(url)
        if status != 200 or not Plan.of(_known(json.loads(text))).done:
            return url
        end(url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        for region in site.places:
            shutil.copy2(kubeconfigs / f"kubeconfig-{region}.yaml", folder)
        settings = {"site": site.to_json(), "folder": str(folder), "silent_s": silent_s, "pods": dict(pods or {})}
        return _start(settings, folder)
    except (OSError, ValueError) as error:
        remedy = f"See {folder / LOG}."
        raise NoReverterError(Problem("reverter", str(error)[:300], "one that answers", remedy)) from error


def end(url: str) -> bool:
    """Let a reverter end that holds nothing any more. Returns whether it does; one that holds something stays."""
    return call_url(f"{url}/end", "POST", {}, timeout_s=ASKED_S)[0] == 200


def _start(settings: dict[str, Any], folder: Path) -> str:
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments.platforms.eks.reverter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))},
            start_new_session=True,  # neither Ctrl-C nor the end of the terminal reaches it
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write((json.dumps(settings) + "\n").encode())
        process.stdin.close()
        line = _line(process, STARTS_WITHIN_S)
    if not line:
        raise OSError(f"no answer within {STARTS_WITHIN_S:g} s")
    return line


def _line(process: "subprocess.Popen[bytes]", within_s: float) -> str:
    found: list[str] = []
    assert process.stdout is not None
    reading = threading.Thread(target=lambda out: found.append(out.readline().decode().strip()), args=(process.stdout,))
    reading.start()
    reading.join(within_s)
    if reading.is_alive():
        process.kill()
        reading.join()
    return found[0] if found else ""


def _ask(url: str) -> tuple[int, str]:
    return call_url(f"{url}/plan", "GET", None, timeout_s=ASKED_S)


def _known(answer: dict[str, Any]) -> dict[str, Any]:
    """A plan as it was stored, from what the reverter answers."""
    return {name: value for name, value in answer.items() if name in Plan.__dataclass_fields__}


# --- the process itself


class Service:
    """HTTP around a watch, or holders, under a secret path. Every answer is the plan as it is then, or `{"error"}`."""

    def __init__(self, watch: Holder) -> None:
        self.watch = watch
        self.path = secrets.token_urlsafe(24)
        self.over = threading.Event()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer a request: 400 for what cannot be understood, 409 for what must not be done now."""
        secret, _, what = path.strip("/").partition("/")
        does = self._does(method, what, body) if secrets.compare_digest(secret, self.path) else None
        if does is None:
            return 404, {"error": "nothing is here"}
        try:
            return 200, {**does().to_json(), "silence_s": round(self.watch.silence_s(), 3)}
        except RefusedError as error:
            return 409, {"error": str(error)}
        except (PlanError, KeyError, TypeError, ValueError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}
        except OSError as error:
            return 507, {"error": f"the plan cannot be kept: {error}"}

    def _does(self, method: str, what: str, body: Any) -> Callable[[], Plan] | None:
        watch = self.watch
        known: dict[tuple[str, str], Callable[[], Plan]] = {
            ("GET", "plan"): lambda: watch.plan,
            ("PUT", "plan"): partial(watch.put, body),
            ("DELETE", "plan"): lambda: watch.drop(int(body["generation"])),
            ("POST", "heartbeat"): lambda: watch.heard(str(body["run"])),
            ("POST", "lift"): lambda: watch.lift(int(body["generation"]), by=str(body["by"]), only=body.get("only")),
            ("POST", "end"): self._end,
        }
        return known.get((method, what))

    def _end(self) -> Plan:
        if not self.watch.plan.done:
            raise RefusedError(f"run {self.watch.plan.run} has faults that are not lifted")
        self.over.set()
        return self.watch.plan

    def wait(self, idle_s: float, look_s: float = LOOK_S) -> None:
        """Return when it was told to end, or nothing is held and nobody was heard for so long."""
        while not self.over.wait(look_s):
            with contextlib.suppress(OSError, PlanError):  # a pod that is silent may hold a fault
                if self.watch.plan.done and self.watch.silence_s() > idle_s:
                    return


def server_of(service: Service) -> ThreadingHTTPServer:
    """A server on loopback, at a port that the kernel chooses."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            try:
                body = json.loads(self.rfile.read(length) or b"{}")
            except ValueError:
                body = None
            status, document = service.answer(self.command, self.path, body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            """Say nothing: the path is a secret."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def main() -> int:
    """Watch until there is nothing to watch for; return the exit code."""
    settings = json.loads(sys.stdin.readline())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    enter(settings["site"])
    folder = Path(settings["folder"])
    watch = Watch(Store(folder), platform().lifter(folder, TIMEOUT_S), "", silent_s=float(settings["silent_s"]))
    service = Service(Holders(watch, boxes(settings["pods"], folder)))
    server = server_of(service)
    threading.Thread(target=server.serve_forever, daemon=True, name="http").start()
    threading.Thread(target=watch.run, daemon=True, name="watch").start()
    url = f"http://127.0.0.1:{server.server_port}/{service.path}"
    new = folder / f"{FILE}.new"
    new.touch(0o600)
    new.write_text(json.dumps({"url": url, "pid": os.getpid(), "since": time.time()}), encoding="utf-8")
    new.replace(folder / FILE)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    sys.stdout.close()
    service.wait(IDLE_S)
    for left in (FILE, *(f"kubeconfig-{region}.yaml" for region in settings["site"]["places"])):
        (folder / left).unlink(missing_ok=True)  # no key stays longer than it is needed
    return 0


if __name__ == "__main__":
    sys.exit(main())
