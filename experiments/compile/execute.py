"""The executor of a game day: a process that plays a compiled experiment through chaoslib, and lifts what it broke.

    python -m experiments.compile.execute

Its settings are one line of JSON on stdin: `experiment`, `journal` (a path), `run`, `origin_ns`, `origin_epoch_us`,
`operator`, `site` (where it plays; nothing: on the testbed). More lines may follow: `{"fact": [kind, subject]}` is what
the observers saw, `{"answer": true}` what a person said. When stdin ends, the run is over: it lifts and ends. Facts,
rows and questions go up stdout (`experiments.observe.wire`; a question is `{"ask": {...}}`).

Whatever chaoslib does, every fault is lifted: a probe that raises skips its rollbacks, a signal in the wrong moment
too. So they are looked at again at the end, from the plans on disk.
"""

import contextlib
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from chaoslib.exceptions import InterruptExecution
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.run import RunEventHandler

from experiments.faults import base, report
from experiments.observe.clock import Clock, Origin
from experiments.observe.wire import Remote, Sender
from experiments.operate import changing, preparation, rewinding, steps
from experiments.operate.moments import moments
from experiments.operate.watching import until_gone
from experiments.platforms.site import enter, site
from experiments.safety.guard import Arms
from experiments.safety.secrets import Redactor, of_this_process
from scenarios.errors import GamedayError

PLAYED, FAILED, INTERRUPTED, LEFT_BEHIND = 0, 3, 4, 5
GOES_WITHIN_S = 120.0
_ALWAYS = {"runtime": {"rollbacks": {"strategy": "always"}, "hypothesis": {"strategy": "default"}}}


class Ending:
    """How the run comes to its end: told by the parent, by a signal, or because a fault could not be injected."""

    def __init__(self) -> None:
        self.lifting = False  # rollbacks have begun: nothing interrupts them
        self.interrupted = False  # before there was nothing left to do but to wait
        self.failed: list[str] = []
        self._heard, self._signal = os.pipe()
        os.set_blocking(self._signal, False)
        threading.Thread(target=self._tell, daemon=True, name="signals").start()

    def _tell(self) -> None:
        """End every wait when a signal has come: the handler itself may interrupt a wait that holds the lock of it."""
        while os.read(self._heard, 1):
            moments.told.set()

    def over(self) -> None:
        """The parent says that the run is over. What is not finished by then is interrupted."""
        moments.settled.set()
        moments.told.set()
        if not moments.holding.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    def take_signal(self, number: int, _: FrameType | None) -> None:
        """End every wait, and interrupt what is under way in the main thread unless it is lifting."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._signal, b"!")
        if not self.lifting:
            self.lifting = self.interrupted = True  # chaoslib swallows what is raised while it tells its followers
            raise InterruptExecution(f"signal {number}")


class Follower(RunEventHandler):  # type: ignore[misc]  # chaoslib has no types
    """Follows chaoslib: takes its signals over, keeps the journal as it grows, ends the run when an injection fails."""

    def __init__(self, ending: Ending, keep: Callable[[Mapping[str, Any]], None]) -> None:
        self._ending = ending
        self._keep = keep
        self._journal: Mapping[str, Any] = {}

    def started(self, experiment: Mapping[str, Any], journal: Mapping[str, Any]) -> None:
        """Chaoslib has put its own handlers in place."""
        self._journal = journal
        signal.signal(signal.SIGTERM, self._ending.take_signal)

    def start_activity(self, activity: Mapping[str, Any]) -> None:
        """Keep what has begun."""
        self._keep(self._journal)

    def activity_completed(self, activity: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        """Note what failed, then keep what has happened so far: chaoslib says nothing when that cannot be."""
        if run.get("status") == "failed":
            self._ending.failed.append(f"{activity['name']}: {(run.get('exception') or ['it failed'])[-1].strip()}")
            if activity["provider"]["func"] in ("inject", "prepare"):
                moments.told.set()  # a game day without its fault proves nothing
        self._keep(self._journal)

    def start_rollbacks(self, experiment: Mapping[str, Any]) -> None:
        """Nothing interrupts the lifting."""
        self._ending.lifting = True


class JournalFile:
    """Chaoslib's journal on disk, without credentials: written anew after each activity, whichever thread plays it."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.redactor = redactor

    def keep(self, journal: Mapping[str, Any]) -> None:
        """Write it; what is half written is never seen."""
        known = {key: value for key, value in journal.items() if key not in ("node", "platform")}  # of this machine
        text = json.dumps(self.redactor.value(json.loads(json.dumps(known, default=str))), indent=2)
        new = self._path.with_name(self._path.name + ".new")
        with self._lock:
            new.write_text(text + "\n", encoding="utf-8")
            new.replace(self._path)


class Person:
    """Whoever sits at the terminal of the parent: is asked up stdout, answers down stdin."""

    def __init__(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        self.answers: queue.Queue[bool] = queue.Queue()
        self._send = send

    def ask(self, question: Mapping[str, Any]) -> bool:
        """Ask, and wait for the answer; no when the run is ended before."""
        self._send(question)
        while not moments.told.is_set():
            with contextlib.suppress(queue.Empty):
                return self.answers.get(timeout=0.2)
        return False


def listen(ending: Ending, person: Person) -> None:
    """Take what the parent says until it says no more."""
    for line in sys.stdin:
        message = json.loads(line)
        if "fact" in message:
            kind, subject = message["fact"]
            moments.facts.add((kind, subject))
        elif "answer" in message:
            person.answers.put(bool(message["answer"]))
    ending.over()


def play(settings: Mapping[str, Any], ending: Ending, journal: JournalFile) -> int:
    """Play the experiment, and lift whatever happens. Returns the exit code."""
    experiment = settings["experiment"]
    try:
        ensure_experiment_is_valid(experiment)
        follower = Follower(ending, journal.keep)
        played = run_experiment(experiment, settings=_ALWAYS, event_handlers=[follower])
        journal.keep(played)
        baseline = (played["steady_states"]["before"] or {}).get("steady_state_met")
        if baseline is False:
            ending.failed.insert(0, "the steady state was not met before the first fault")
    except Exception as error:  # whatever chaoslib lets through: what was broken must be lifted
        ending.failed.append(f"{type(error).__name__}: {error}")
    ending.lifting = True
    left = lift_everything(experiment)
    for words in (*ending.failed, *left):
        sys.stderr.write(f"executor: {journal.redactor.text(words)}\n")
    if left:
        return LEFT_BEHIND
    if ending.interrupted:
        return INTERRUPTED
    return FAILED if ending.failed else PLAYED


def lift_everything(experiment: Mapping[str, Any]) -> list[str]:
    """Lift what the rollbacks have not lifted, then see that it is gone; return what is left, in words."""
    arguments = [activity["provider"]["arguments"] for activity in experiment["rollbacks"]]
    faults = [(found["fault"], found["kind"]) for found in arguments if "kind" in found]
    left: list[str] = []
    try:
        changing.take_back()  # first, for what it puts back may hold what a fault before it has changed
    except (GamedayError, OSError) as error:
        left.append(str(error))
    lifted = [(fault, kind) for fault, kind in faults if _lifts(fault, left)]
    for fault, kind in lifted:
        try:
            gone = until_gone(fault, kind, GOES_WITHIN_S)
        except (GamedayError, OSError) as error:
            left.append(f"{fault} was lifted, and looking whether it is gone failed: {error}")
            continue
        if not gone:
            left.append(f"{fault} was lifted and is not seen to be gone")
    try:
        preparation.put_back()
    except (GamedayError, OSError) as error:
        left.append(str(error))
    return left


def _lifts(fault: str, left: list[str]) -> bool:
    """Whether a fault could be lifted; else it is left, in words."""
    try:
        base.lift(fault, "clean-up")
    except (GamedayError, OSError) as error:
        left.append(str(error))
        return False
    return True


def main(arms: Callable[[str], base.Safety] = Arms) -> int:
    """Play what stdin says. Returns the exit code: 0 played, 3 not played to its end, 4 interrupted, 5 left behind.

    `arms` makes, of the run's name, what stores each lift outside the blast radius.
    """
    settings = json.loads(sys.stdin.readline())
    enter(settings.get("site"))
    wire = os.dup(1)
    os.dup2(2, 1)  # what others print is no message
    logging.getLogger("chaostoolkit").setLevel(logging.CRITICAL)
    sender, ending = Sender(wire), Ending()

    def fact(kind: str, subject: str, detail: dict[str, Any]) -> None:
        sender.mark(moments.now_us(), kind, subject, **detail)
        sender.now()

    person = Person(sender.ask)
    moments.parent = True
    moments.origin_ns = settings["origin_ns"]
    report.listen(fact)
    origin = Origin(settings["origin_ns"], settings["origin_epoch_us"])
    rewinding.keep_in(rewinding.Ledger(Remote(sender), Clock(origin), origin.epoch_us))
    base.protect(arms(settings["run"]))
    steps.ask_with(person.ask if settings["operator"] == "live" else None)
    redactor = of_this_process(place.kubeconfig for place in site().places.values())
    signal.signal(signal.SIGTERM, ending.take_signal)
    threading.Thread(target=listen, args=(ending, person), daemon=True, name="parent").start()
    try:
        return play(settings, ending, JournalFile(Path(settings["journal"]), redactor))
    finally:
        sender.close()


if __name__ == "__main__":
    sys.exit(main())
