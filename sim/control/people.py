"""People: acknowledge a page, escalate, assemble, decide, and have the procedure typed.

They see pages, and which procedures have begun. One factor an incident slows or speeds all they do.
Source: CALIBRATION 4.
"""

import math
from dataclasses import dataclass

import simpy

from sim.control.clock_time import time_of_day_s, within
from sim.control.context import Context, Wait
from sim.control.incident import Incident

SEVERITY = "P0"  # of an incident that stops trading; a procedure may say otherwise
MOST_PAGES = 60  # five hours of nobody


@dataclass(frozen=True)
class Answer:
    """Who answers a page, and after how long."""

    after_ns: int
    responder: int  # number in the order of paging


class People:
    """The responders of one incident: a commander decides, technical leads type."""

    def __init__(self, context: Context, incident: Incident) -> None:
        self._context = context
        self._incident = incident
        self._answering = False
        self._levels = context.topology.people.levels
        commanders = context.topology.people.incident_commanders
        self._commanders = simpy.Resource(context.env, commanders) if context.on("finite_people") else None

    def page(self, alert: str) -> None:
        """A page has arrived; the first one opens the incident, later ones belong to it."""
        if not self._answering:
            self._answering = True
            self._context.env.process(self._respond(alert))

    def _respond(self, alert: str) -> Wait:
        context = self._context
        paged_ns = context.now_ns
        level = yield from self._acknowledge(alert)
        resolved = context.env.event()
        context.env.process(self._escalate(level, paged_ns, resolved))
        yield context.env.timeout(self._incident.sample_ns("people.assemble", "team"))
        for role in ("incident-commander", "technical-lead", "communications-lead"):
            context.mark("engaged", role, role=role)
        chosen = self._answers()
        severity = context.resolved.procedures[chosen[0]].severity if chosen else SEVERITY
        context.mark("declared", "incident-commander", severity=severity)
        context.env.process(self._inform(severity, resolved))
        yield from self._decide(chosen)
        resolved.succeed()

    # --- paging

    def _silent(self, responder: int) -> bool:
        """Whether this one does not answer at all."""
        context = self._context
        begins, ends = (context.parameters.number(name) for name in ("people.day_begins_s", "people.day_ends_s"))
        day = within(time_of_day_s(context, context.now_ns), begins, ends)
        share = context.parameters.number("people.no_response" if day else "people.no_response_night")
        return context.draws.uniform(f"responder {responder}", "no response") < share

    def answer(self) -> Answer:
        """Return the first answer: each responder is paged a while after the one before; who answers first counts."""
        context = self._context
        if not context.on("escalation"):
            return Answer(self._incident.sample_ns("people.acknowledge", "responder 0"), 0)
        retry_ns = context.ns("people.retry_after")
        best = Answer(1 << 62, 0)
        for n in range(MOST_PAGES):
            if n * retry_ns >= best.after_ns:
                break
            if not self._silent(n):
                taken = n * retry_ns + self._incident.sample_ns("people.acknowledge", f"responder {n}")
                best = min(best, Answer(taken, n), key=lambda a: a.after_ns)
        return best

    def level(self, responder: int) -> str:
        """Level of support that is paged as number so many; the last level again when there is none above."""
        return self._levels[min(responder, len(self._levels) - 1)]

    def _acknowledge(self, alert: str) -> Wait:
        """Wait until somebody answers. Returns the level that did."""
        context = self._context
        answer = self.answer()
        retry_ns = context.ns("people.retry_after")
        paged = math.ceil(answer.after_ns / retry_ns) if context.on("escalation") else 1
        for n in range(1, paged):
            yield context.env.timeout(retry_ns)
            context.mark("escalated", self.level(n - 1), to=self.level(n))
        yield context.env.timeout(answer.after_ns - max(0, paged - 1) * retry_ns)
        level = self.level(answer.responder)
        context.mark("acknowledged", level, alert=alert)
        return level

    def _escalate(self, level: str, paged_ns: int, resolved: simpy.Event) -> Wait:
        """Call the next level where an incident lasts longer than the matrix gives a level."""
        context = self._context
        for to, name in (("L2", "people.escalate_to_l2"), ("L3", "people.escalate_to_l3")):
            if to not in self._levels or self._levels.index(to) <= self._levels.index(level):
                continue
            due = paged_ns + context.ns(name) - context.now_ns
            yield context.env.any_of([resolved, context.env.timeout(max(0, due))])
            if resolved.triggered:
                return
            context.mark("escalated", level, to=to)
            level = to

    def _inform(self, severity: str, resolved: simpy.Event) -> Wait:
        """Tell stakeholders, and tell them again at the severity's interval while the incident is open.

        It is open until what was decided is done and no alert fires any more.
        """
        context, lead = self._context, "communications-lead"
        yield context.env.timeout(self._incident.sample_ns("people.notify", lead))
        context.mark("notified", lead, audience="stakeholders")
        interval_ns = self._interval_ns(severity)
        ahead = context.parameters.number("people.update_begins")
        sent = 0
        while interval_ns is not None:
            yield context.env.timeout(max(1, round(ahead * interval_ns)))
            if resolved.triggered and not context.monitoring.firing():
                return
            sent += 1
            yield context.env.timeout(self._incident.sample_ns("people.notify", lead, sent))
            context.mark("update_sent", lead, audience="stakeholders")

    def _interval_ns(self, severity: str) -> int | None:
        """Time in which stakeholders are to hear something new: the severity's own; None: nothing was promised."""
        promised = [o for o in self._context.resolved.objectives if o.kind == "response" and o.subject == severity]
        return promised[0].limit_us * 1_000 if promised and promised[0].limit_us is not None else None

    # --- deciding

    def _answers(self) -> list[str]:
        """Procedures that people may answer this incident with."""
        procedures = self._context.resolved.procedures
        response = self._context.resolved.scenario.response
        return [n for n in response if procedures[n].actor == "people" and procedures[n].starts == "page-answered"]

    def _decide(self, chosen: list[str]) -> Wait:
        """Decide on each procedure in turn and have it carried out; what the automation has begun is left to it."""
        context = self._context
        for n, name in enumerate(chosen):
            if n == 0:
                yield from self._command_for("people.decide")
            if (yield from self._left_to_automation()):
                return
            context.mark("decided", "incident-commander", procedure=name)
            yield from context.procedures.run(name, "technical-lead")

    def _command_for(self, parameter: str) -> Wait:
        """The incident commander is busy with it."""
        taken = self._incident.sample_ns(parameter, "incident-commander")
        if self._commanders is None:
            yield self._context.env.timeout(taken)
            return
        with self._commanders.request() as free:
            yield free
            yield self._context.env.timeout(taken)

    def _left_to_automation(self) -> Wait:
        """Wait for the end of what the automation has begun. Returns whether that was all there was to do."""
        context = self._context
        for name in context.procedures.begun():
            if context.resolved.procedures[name].actor == "automation":
                while (ended := context.procedures.ended(name)) is None:
                    yield context.when("procedure_finished", name)
                return ended
        return False
