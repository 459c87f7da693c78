"""Carry out procedures: steps in order, each when the APIs it needs answer, by the automation or by people.

A person types one step at a time and makes mistakes: half are found at the step's own verification and typed again, the
others when somebody next looks whether it worked. A mistyped step has no effect. Source: CALIBRATION 4.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import simpy

from scenarios.model.procedure import Procedure, Step
from sim.control import apis, steps
from sim.control.context import Context, Wait
from sim.control.incident import Incident

_LOOKS = ("wait_ready", "verify", "assess")  # steps that show what an earlier one has not done


class Procedures:
    """Carries out the procedures of one trial (`roles.ProceduresLike`)."""

    def __init__(self, context: Context, incident: Incident) -> None:
        self._context = context
        self._incident = incident
        size = context.topology.people.technical_leads
        self._leads = simpy.Resource(context.env, size) if context.on("finite_people") else None
        self._begun: dict[str, bool | None] = {}  # None: under way
        self._change: str | None = None  # the last one that was begun: what a rollback undoes
        steps.check(context.resolved.procedures)

    def begun(self) -> tuple[str, ...]:
        """Names of the procedures that have been started so far."""
        return tuple(self._begun)

    def ended(self, name: str) -> bool | None:
        """Whether a procedure that has begun did all it should; None: it is under way."""
        return self._begun[name]

    def run(self, name: str, actor: str) -> Wait:
        """Carry out a procedure to its end. Returns whether every step did what it should."""
        context = self._context
        procedure = context.resolved.procedures[name]
        self._begun[name] = None
        context.mark("procedure_started", name, actor=actor)
        if procedure.change is not None:
            self._change = name
            context.mark("change_started", name, change=name)
        run, ok = _Run(context, self._incident, self._leads, procedure, actor, self._change), False
        with self._counted(), suppress(simpy.Interrupt):  # whoever carries it out may be gone
            ok = yield from self._steps(procedure, run)
        context.acted()
        self._begun[name] = ok
        if run.undone is not None:
            context.mark("rollback_finished", run.undone, change=run.undone)
        if procedure.change is not None:
            context.mark("change_finished", name, change=name, ok=ok)
        context.mark("procedure_finished", name, ok=ok)
        return ok

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._context.running += 1
        try:
            yield
        finally:
            self._context.running -= 1

    def _steps(self, procedure: Procedure, run: "_Run") -> Wait:
        """Every step once those before it are done; steps that do not wait for one another go on side by side."""
        done: dict[str, simpy.Process] = {}
        before: tuple[str, ...] = ()
        for step in procedure.steps:
            wanted = [done[i] for i in (step.after or before)]
            done[step.id] = self._context.env.process(run.step(step, wanted))
            before = (step.id,)
        try:
            yield self._context.env.all_of(list(done.values()))
            return (yield from run.mend())
        except simpy.Interrupt:
            run.stopped = True
            raise


class _Run:
    """One procedure under way."""

    def __init__(
        self,
        context: Context,
        incident: Incident,
        leads: simpy.Resource | None,
        procedure: Procedure,
        actor: str,
        change: str | None,
    ) -> None:
        self._context = context
        self._incident = incident
        self._leads = leads
        self._procedure = procedure
        self._actor = actor
        self._people = procedure.actor == "people"
        self._hidden: list[Step] = []  # mistyped, and nobody knows
        self._tries: dict[str, int] = {}
        self._failed = False
        self._change = change
        self.undone: str | None = None  # the change that a step of this procedure rolls back
        self.stopped = False

    def step(self, step: Step, before: list[simpy.Process]) -> Wait:
        """Carry out one step after those before it. With a person for each step, everyone types ahead."""
        ahead = self._people and self._leads is None
        if ahead:
            yield from self._type(step)
        yield self._context.env.all_of(before)
        if self._over:
            return
        if step.verb in _LOOKS:
            yield from self._redo()
        yield from self._carry_out(step, typed=ahead)

    @property
    def _over(self) -> bool:
        return self.stopped or self._failed

    def mend(self) -> Wait:
        """After the last step: do again what turns out not to have been done. Returns whether all is well."""
        yield from self._redo()
        return not self._failed

    def _redo(self) -> Wait:
        """Somebody looks: steps that had no effect are found and done again."""
        while self._hidden and not self._over:
            yield from self._carry_out(self._hidden.pop(0), typed=False)

    def _carry_out(self, step: Step, *, typed: bool) -> Wait:
        context, name = self._context, self._procedure.procedure
        until_ns = self._until_ns(step)
        if not (yield from apis.await_apis(context, self._procedure, step, until_ns)):
            self._fail(step)
            return
        context.mark("step_started", name, step=step.id, actor=self._actor)
        if step.verb == "rollout_undo" and self._change is not None and self.undone is None:
            self.undone = self._change
            context.mark("rollback_started", self.undone, change=self.undone)
        while True:
            if not typed:
                yield from self._type(step)
            typed = False
            if self._over:
                return
            worked = not self._mistake(step)
            if worked or not self._finds_mistake(step):
                break
        if worked:
            # it may have gone down while the command was typed
            if not (yield from apis.await_apis(context, self._procedure, step, until_ns)):
                self._fail(step)
                return
            if not (yield from self._in_time(step, until_ns)):
                return
        else:
            self._hidden.append(step)
        if self._over:
            return
        context.acted()
        more = steps.noted(context, step)
        context.mark("step_finished", name, step=step.id, actor=self._actor, ok=worked, **more)

    def _until_ns(self, step: Step) -> int | None:
        """When a step that is not done has failed; None: a person goes on trying."""
        if step.timeout_us is not None:
            return self._context.now_ns + step.timeout_us * 1_000
        return None if self._people else self._context.now_ns + self._context.ns("automation.step_timeout")

    def _in_time(self, step: Step, until_ns: int | None) -> Wait:
        """Do the step. Returns whether it was done in time; what was asked of an API goes on when nobody waits."""
        env = self._context.env
        if until_ns is None:
            return (yield from self._perform(step))
        work = env.process(self._perform(step))
        yield env.any_of([work, env.timeout(max(1, until_ns - self._context.now_ns))])
        if not work.triggered and not self._over:
            self._fail(step)
        return bool(work.triggered and work.value)

    def _perform(self, step: Step) -> Wait:
        """Try until it is not refused any more. Returns False when the procedure was over before that."""
        while not (yield from steps.perform(self._context, step)):
            yield self._context.env.timeout(apis.again_ns(self._context, self._procedure))
            if self._over:
                return False
        return True

    def _fail(self, step: Step) -> None:
        self._failed = True
        self._context.mark("step_finished", self._procedure.procedure, step=step.id, actor=self._actor, ok=False)

    def _try(self, step: Step) -> int:
        return self._tries.get(step.id, 0)

    def _type(self, step: Step) -> Wait:
        """Take the time of the step; a person is busy with it."""
        self._tries[step.id] = self._try(step) + 1
        if step.takes is None:
            return
        label, n = f"{self._procedure.procedure}/{step.id}", self._try(step) - 1
        if not self._people:
            yield self._context.env.timeout(self._context.draws.sample_ns(step.takes, label, n))
            return
        taken = self._incident.sample_ns(step.takes, label, n)
        if self._leads is None:
            yield self._context.env.timeout(taken)
            return
        with self._leads.request() as free:
            yield free
            yield self._context.env.timeout(taken)

    def _uniform(self, step: Step, purpose: str) -> float:
        return self._context.draws.uniform(f"{self._procedure.procedure}/{step.id}", purpose, self._try(step))

    def _mistake(self, step: Step) -> bool:
        if not self._people or step.takes is None or step.verb in _LOOKS or not self._context.on("step_errors"):
            return False
        return self._uniform(step, "mistake") < self._context.parameters.number("people.step_error")

    def _finds_mistake(self, step: Step) -> bool:
        return self._uniform(step, "mistake found") < self._context.parameters.number(
            "people.error_found_at_verification"
        )
