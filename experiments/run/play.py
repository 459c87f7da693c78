"""The parent of a game day: owns the record and the clock, starts the others, sees that the run has settled.

What breaks is the executor's; what is measured comes from the observers up their pipes. Whatever happens, every fault
is lifted, and what was recorded is kept.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.observe import wire
from experiments.observe.clock import Clock, Origin
from experiments.run.children import Child, Message
from experiments.run.finishing import FINISHER, FINISHES_WITHIN_S, Finishing
from experiments.run.keeping import Keeping
from experiments.run.repeats import Repeats
from experiments.run.settling import Settling
from experiments.run.stopping import Stop, stopping
from scenarios.files.resolved import Resolved
from scenarios.model.faults import FAULTS
from scenarios.record.writer import Recorder

Progress = Callable[[int, int, str], None]
Restart = Callable[[int], Child]  # makes a child again; takes the number of the next order

SECOND_US = 1_000_000
LOOK_S = 0.2
TAKES_S = 1.0  # messages at once, before it is looked whether the run is over
PAGES_END_WITHIN_S = 62.0
SENDER_ENDS_WITHIN_S = 15.0
LIFTED_WITHIN_S = 300.0
OWN_LIFTING_S = 5.0  # of a run that was stopped: then its faults are lifted in the executor's place
MOST_RESTARTS = 5
SILENT_US = 5 * SECOND_US  # without a probe through DNS: what is broken cannot be seen any more
STARTS_WITHIN_US = 10 * SECOND_US  # a prober, on a busy machine
EXECUTOR = "executor"
PROBERS = "probers"
LEFT_BEHIND = 5  # the executor's exit code
READ = "readback_done"  # of its own facts the one that it waits for: what it has read is in the record


@dataclass(frozen=True)
class Ended:
    """How the judged interval ended: settled, at most, by hand when it was only observed, or why it was stopped."""

    reason: str
    end_us: int
    stopped: str | None = None  # a person or a safety condition
    failed: str | None = None  # the executor ended before its time


class GameDay:
    """One run under way.

    `executor` plays the experiment and tells what it does; None: nothing is broken, and the run ends at its time.
    `watch` is told every message and may stop the run. `ask` asks the person at the terminal, in a thread of its own.
    `printer` makes what takes the lines that a process prints on standard error; None: they go where ours go.
    `lift` lifts what an executor that died has left, records facts by what it is given, and returns what is left.
    `finishing` finishes a failover that was begun when the run ends before it has settled.
    """

    def __init__(
        self,
        resolved: Resolved,
        recorder: Recorder,
        origin: Origin,
        observers: Mapping[str, Restart],
        executor: Child | None,
        progress: Progress,
        watch: Callable[[Mapping[str, Any], Stop], None],
        ask: Callable[[Mapping[str, Any]], bool],
        printer: Callable[[], Callable[[str], object]] | None = None,
        *,
        lift: Callable[[Callable[..., None]], list[str]],
        finishing: Finishing | None = None,
    ) -> None:
        self._resolved = resolved
        self.recorder = Keeping(recorder)
        self.clock = Clock(origin)
        self._factories = dict(observers)
        self._observers: dict[str, Child] = {}
        self._executor = executor
        self._progress = progress
        self._watch = watch
        self._ask = ask
        self._printer = printer
        self._lift_remains = lift
        self._finishing = finishing or Finishing(resolved)
        self._finisher: Child | None = None
        self._finisher_ended: int | None = None
        self.torn: dict[str, int] = {}  # process: lines of it that were no message
        self.left: list[str] = []  # what could not be lifted, in words
        self._messages: queue.Queue[Message] = queue.Queue()
        self._settling = Settling(resolved)
        self._stop = Stop()
        self._restarts: dict[str, int] = {}
        self._repeats = Repeats()
        self._next_order = 0
        self._told_to_end: set[str] = set()  # observers
        self._executor_ended: int | None = None
        self._executor_ended_us = 0
        self._probed_us = 0  # when the last probe through DNS was heard of
        self._begun: set[str] = set()  # faults that are to be lifted
        self._lifted: set[str] = set()
        self._last_fact = "starting"
        self._flows: dict[str, int] = {}  # observer: when it was last heard
        self.clock_bound_us = self.clock.bound_us  # greatest of the run

    # --- playing

    def play(self) -> Ended:
        """Play until the run has settled, its time is over, or something stops it; then lift, and see it gone."""
        with stopping(self._stop):
            try:
                self._start()
                ended = self._until_the_end()
                self._wind_down(ended)
            finally:
                for child in self.children:
                    child.stop()
        return ended

    @property
    def children(self) -> list[Child]:
        """All processes that were started; the executor first, because it lifts."""
        acting = [child for child in (self._executor, self._finisher) if child is not None]
        return [*acting, *self._observers.values()]

    def _start(self) -> None:
        """Start everybody, and wait for the run's start: what they load must not cost the first seconds."""
        if self._executor is not None:
            self._print(self._executor)
            self._executor.start(self._messages)
        for name in self._factories:
            self._begin(name)
        while self.clock.now_us() < 0 and self._stop.reason is None:
            self._take(LOOK_S)

    def _begin(self, name: str) -> None:
        self._observers[name] = self._factories[name](self._next_order)
        self._print(self._observers[name])
        self._observers[name].start(self._messages)
        self._flows[name] = self.clock.now_us()
        if name == PROBERS:
            self._probed_us = max(0, self.clock.now_us()) + STARTS_WITHIN_US - SILENT_US

    def _watch_probers(self, now_us: int) -> None:
        """Stop the run when its probers run and say nothing."""
        if PROBERS in self._observers and now_us - self._probed_us > SILENT_US and self._stop.reason is None:
            self.mark("observer_gap", PROBERS, what=PROBERS, from_us=self._probed_us, to_us=now_us)
            self._stop(f"no probe has been answered or missed for {(now_us - self._probed_us) / SECOND_US:.0f} s")

    def _print(self, child: Child) -> None:
        if self._printer is not None:
            child.printed = self._printer()

    def _until_the_end(self) -> Ended:
        workload = self._resolved.scenario.workload
        fixed = workload.duration if isinstance(workload.duration, int) else None
        last_us = workload.at_most_us if fixed is None else min(fixed, workload.at_most_us)
        while True:
            self._take(LOOK_S)
            now_us = self.clock.now_us()
            self._progress(now_us, last_us, self._words())
            self._watch_probers(now_us)
            if self._executor is None and self._stop.by_hand:
                return self._ended("by hand", now_us)  # there is nothing that could be left undone
            if self._stop.reason is not None:
                return self._ended("interrupted", now_us, stopped=self._stop.reason)
            if self._executor_ended is not None:
                why = f"the executor ended with {self._executor_ended} before it was told to"
                return self._ended("interrupted", self._executor_ended_us, failed=why)
            if fixed is None and self._executor is not None and self._settling.has_settled(now_us):
                self.mark("settled", "run")
                return self._ended("settled", now_us)
            if now_us >= last_us:
                return self._ended("at most", now_us)

    def _words(self) -> str:
        waiting = self._settling.waiting_for
        return f"{self._last_fact}; waiting for {waiting}" if waiting else self._last_fact

    def _ended(self, reason: str, end_us: int, *, stopped: str | None = None, failed: str | None = None) -> Ended:
        self.mark("run_ended", "run", reason=reason)
        return Ended(reason, max(0, end_us), stopped, failed)

    def _wind_down(self, ended: Ended) -> None:
        """Lift first when the run was stopped; else let the last orders and pages end, then lift."""
        at_once = bool(ended.stopped or ended.failed)
        if at_once:
            self._lift(at_once=True)
            self._finish_failover(ended)
        self._finish("sender", SENDER_ENDS_WITHIN_S)
        self._finish(PROBERS, PAGES_END_WITHIN_S)
        if not at_once:
            self._lift(at_once=False)
            self._finish_failover(ended)
        self._finish("watchers", SENDER_ENDS_WITHIN_S)

    def _finish_failover(self, ended: Ended) -> None:
        """Bring a failover that was begun to its end; stopped once more, it is left to `gameday undo`."""
        if self._executor is None or ended.reason == "settled":
            return
        self._finisher = self._finishing.child(self.clock.origin)
        if self._finisher is None:
            return
        signals = self._stop.signals
        self._progress(0, 1, "finishing the failover; once more Ctrl-C leaves it to `gameday undo`")
        self._print(self._finisher)
        self._finisher.start(self._messages)
        self._drain_until(lambda: self._finisher_ended is not None or self._stop.signals > signals, FINISHES_WITHIN_S)
        code = self._finisher_ended
        self._finisher.kill()
        if words := self._finishing.left(code):
            self.left.append(words)

    def _lift(self, *, at_once: bool) -> None:
        """Let the executor lift; one that does not in time is ended, and what it has left is lifted in its place."""
        if self._executor is None:
            return
        self._progress(0, 1, "lifting what was injected")
        self._executor.finish()
        if at_once:
            self._drain_until(self._has_lifted, OWN_LIFTING_S)
        if not at_once or self._has_lifted():
            self._drain_until(lambda: self._executor_ended is not None, LIFTED_WITHIN_S)
            if self._executor_ended is None:
                self.left.append(f"the executor did not end within {LIFTED_WITHIN_S:g} s of the end of the run")
        if self._executor_ended is None:
            self._executor.kill()  # before anything is lifted: it must not break it again
            self._drain_until(lambda: self._executor_ended is not None, OWN_LIFTING_S)

    def _has_lifted(self) -> bool:
        """Whether the executor has ended, or has at least lifted all that it injected and only looks at it now."""
        return self._executor_ended is not None or (bool(self._begun) and self._begun <= self._lifted)

    def _finish(self, name: str, within_s: float) -> None:
        """Let an observer finish what it has begun, and take what it still says."""
        child = self._observers.get(name)
        if child is None:
            return
        self._told_to_end.add(name)
        child.finish()
        self._drain_until(lambda: not child.alive, within_s)
        child.stop()
        self._drain_until(self._messages.empty, 5.0)

    def _drain_until(self, done: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._take(LOOK_S)
            if done() and self._messages.empty():
                return

    # --- messages

    def mark(self, kind: str, subject: str, **detail: Any) -> None:
        """Record a fact of the run itself, now."""
        self.recorder.mark(max(0, self.clock.now_us()), kind, subject, **detail)

    def _take(self, wait_s: float) -> None:
        """Take the messages that are there; wait a little when there is none.

        On a machine that is overloaded they come as fast as they are taken: then the clock is looked at all the same.
        """
        until_s = time.monotonic() + wait_s + TAKES_S
        try:
            self._one(self._messages.get(timeout=wait_s))
            while time.monotonic() < until_s:
                self._one(self._messages.get_nowait())
        except queue.Empty:
            return

    def _one(self, message: Message) -> None:
        if message.ended is not None:
            if message.torn:
                self.torn[message.child] = self.torn.get(message.child, 0) + message.torn
            self._gone(message.child, message.ended)
            return
        body = message.body
        self._flows[message.child] = self.clock.now_us()
        if "ask" in body:
            threading.Thread(target=self._question, args=(body["ask"],), daemon=True, name="question").start()
            return
        if "mark" in body and self._repeats.note(body["mark"]) and self._restarts.get(message.child):
            return  # it was started again, and takes what it finds for news
        wire.record(body, self.recorder)
        if "mark" in body:
            mark = body["mark"]
            self._settling.mark(mark["t_us"], mark["kind"], mark["subject"])
            self._finishing.mark(mark)
            self._note_fault(mark["kind"], mark["subject"])
            own = message.child == EXECUTOR
            if self._executor is not None and (not own or (mark["kind"] == READ and not self.recorder.lost)):
                self._executor.tell({"fact": [mark["kind"], mark["subject"]]})
            self._last_fact = f"{mark['kind'].replace('_', ' ')} ({mark['subject']})"
        elif body["table"] == "probes":
            self._settling.probes(body["columns"])
            if "dns" in body["columns"]["route"]:
                self._probed_us = self.clock.now_us()
        elif body["table"] == "writes_sent":
            self._note_orders(body["columns"])
        elif body["table"] == "samples":
            bounds = zip(body["columns"]["name"], body["columns"]["value"], strict=True)
            self.clock_bound_us = max([self.clock_bound_us, *(round(v) for n, v in bounds if n == "clock_bound_us")])
        if self.recorder.lost:
            self._stop(self.recorder.lost)
        self._watch(body, self._stop)

    def _question(self, question: Mapping[str, Any]) -> None:
        """Put a question to the person, and hand the answer down; the run goes on meanwhile."""
        assert self._executor is not None
        self._executor.tell({"answer": self._ask(question)})

    def _note_fault(self, kind: str, subject: str) -> None:
        """Note which faults that can be lifted have begun, and which were lifted."""
        fault = FAULTS.get(subject.rpartition(":")[0])
        if kind == "injection_begun" and fault is not None and fault.lifted:
            self._begun.add(subject)
        elif kind in ("lifted", "left_to_failback"):
            self._lifted.add(subject)

    def _note_orders(self, columns: Mapping[str, Any]) -> None:
        numbers = [s for c, s in zip(columns["data_class"], columns["seq"], strict=True) if c == "transactions"]
        self._next_order = max([self._next_order, *(s + 1 for s in numbers)])

    def _gone(self, name: str, code: int) -> None:
        """A child has ended: as it should, or it is started again and the gap is a fact."""
        if name == EXECUTOR:
            self._executor_ended, self._executor_ended_us = code, self.clock.now_us()
            found = self._lift_remains(self.mark)  # before anything else: nothing when it has lifted by itself
            if code == LEFT_BEHIND and not found:
                found = ["what the executor could not lift, or did not see gone (its exit code 5)"]
            self.left += found
            return
        if name == FINISHER:
            self._finisher_ended = code
            return
        if name in self._told_to_end or self._stop.reason is not None:
            return
        from_us = self._flows[name]
        self._restarts[name] = self._restarts.get(name, 0) + 1
        if self._restarts[name] > MOST_RESTARTS:
            self._stop(f"{name} ended {MOST_RESTARTS} times (the last time with {code}): nothing can be measured")
            return
        self._begin(name)
        self.mark("observer_gap", name, what=name, from_us=from_us, to_us=self.clock.now_us())
