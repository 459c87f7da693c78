"""Play on EKS what was planned, once a person has typed the names of its targets."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from experiments.faults.containers import request
from experiments.observe import settings as observing
from experiments.observe.dns_cache import ask as ask_name
from experiments.observe.names import PROBE_KEYS
from experiments.observe.settings import Where
from experiments.platforms.eks import contexts, reverter
from experiments.platforms.eks.orders import PATH, entry
from experiments.platforms.eks.plans import typed
from experiments.platforms.eks.pods import PodError, Pods
from experiments.platforms.eks.postings import Posting, postings, who_lifts
from experiments.platforms.eks.sites import site_of
from experiments.platforms.site import at, site
from experiments.run import quiet
from experiments.run.play import SECOND_US
from experiments.safety import canary, identity
from experiments.testbed.state import Identity
from gameday.aws_day import AwsDay, insist_still, insist_trading, lasts_us, over, use_approval
from gameday.cli.talk import progress, say
from gameday.game_day import Ask, PlayedOnCluster, Stage, insist_on_quiet, play_on
from gameday.settings import Settings
from scenarios.errors import UsageError
from scenarios.files.resolved import Resolved

CANARY_S = 10.0

Question = Callable[[str], str]


def play_on_eks(
    day: AwsDay, resolved: Resolved, settings: Settings, *, question: Question, ask: Ask | None, observe: int | None
) -> PlayedOnCluster:
    """Play a scenario on EKS and keep its record.

    Args:
        day: what was planned; every condition must hold.
        resolved: the scenario as EKS plays it.
        settings: with the targets.
        question: puts a question to the person at the terminal and returns what is typed.
        ask: asks for a step of a procedure; None: people are scripted.
        observe: break nothing, and measure for so long, in microseconds; None: play it.

    Raises:
        UsageError: a condition does not hold: nothing was touched.
        AbortedError: something else was typed than the targets' names: nothing was broken.
    """
    if day.problems:
        raise UsageError(*day.problems)
    there = site_of(day.targets, settings.outside)
    names, production = [target.name for target in day.targets.values()], settings.production
    proofs: list[canary.Rejected] = []
    posted = postings(resolved, day.targets, production.reverter_image) if observe is None else ()
    lasts_s = (lasts_us(resolved) + production.longest_undo_us) / SECOND_US
    reached = {region: target.api_for_pods for region, target in day.targets.items()}
    pods = _Posted(posted, lambda folder: Pods(posted, folder, production.reverter_image, lasts_s, reached))
    still = partial(insist_still, day, resolved, production, observe)

    def confirm(radius: str) -> None:
        say(radius)
        typed(names, question)
        still()  # else a canary order would be sent outside the window
        pods.make()
        proof = canary.prove(", ".join(names), settings.outside.sink, lambda: _canary_order(settings, resolved))
        proofs.append(proof)

    def ready() -> quiet.Before:
        before = insist_on_quiet()
        if observe is not None:  # nothing is broken, and orders are sent all the same
            confirm("nothing breaks: it is only observed")
        return before

    def sends() -> None:
        still()
        canary.insist(proofs[-1] if proofs else None, ", ".join(names))

    def begins() -> None:
        still()
        insist_trading(day)  # somebody may have disabled it while the load was sent
        if observe is None:
            use_approval(day, resolved, production)

    with at(there), contexts.given(day.targets, there.state / "contexts") as expected:
        lifters = who_lifts(resolved, posted) if observe is None else ()
        stage = Stage(
            "eks", ready, lambda: _targets(expected, pods), nullcontext, sends, begins, partial(over, day, production),
            lifters,
        )  # fmt: skip
        return play_on(stage, resolved, settings.runs_folder, confirm=confirm, ask=ask, observe=observe)


class _Posted:
    """The reverter's pods of a run: made once the names were typed, removed when nothing is held any more."""

    def __init__(self, posted: tuple[Posting, ...], pods: Callable[[Path], Pods]) -> None:
        self.pairs = {posting.hit: posting.holder for posting in posted}
        self._pods, self._made = pods, list[Pods]()
        self._folder = Path()

    def look(self, kubeconfigs: Path) -> None:
        """Make sure that none of another run is there. Raises PodError."""
        self._folder = kubeconfigs
        self._pods(kubeconfigs).refuse_left()

    def make(self) -> None:
        """Make them, and wait for them. Raises PodError."""
        if self.pairs:
            with progress(1.0, f"waiting for the reverter's pods in {', '.join(self.pairs.values())}"):
                pods = self._pods(self._folder)
                pods.make()
                self._made.append(pods)

    def remove(self) -> None:
        """Remove what was made; what could not be is said."""
        for pods in self._made:
            try:
                with progress(1.0, "removing the reverter's pods"):
                    pods.remove()
            except PodError as error:
                for problem in error.problems:
                    say(f"left behind: {problem.where}: {problem.found}. `gameday undo --world eks` removes it.")


@contextmanager
def _targets(expected: Mapping[str, Identity], pods: _Posted) -> Iterator[dict[str, str]]:
    """Within it the targets are those that were declared, and a reverter is there. One that holds a fault stays."""
    with identity.used(expected) as folder:
        with progress(1.0, "starting the reverter"):
            pods.look(folder)
            url = reverter.started(site(), folder, pods=pods.pairs)
        with at(replace(site(), reverter=url)):
            try:
                yield {region: f"{found.cluster}, kube-system {found.uid}" for region, found in expected.items()}
            finally:
                if reverter.end(url):
                    pods.remove()


def _canary_order(settings: Settings, resolved: Resolved) -> canary.Answer:
    """Send one order down the path that orders take, marked as a canary; nothing answers: status 0.

    As those who send the run's orders, it asks the name server where the name leads to.
    """
    url = settings.outside.canary
    if not url:
        where = Where.of(observing.where())
        found = asyncio.run(ask_name(where.dns, where.name, where.edges))
        if found is None:
            return canary.Answer(0, {})
        url = f"http://{found[0]}:{site().ports[entry(resolved)]}{PATH}"
    now_us = time.time_ns() // 1_000
    order = {"key": PROBE_KEYS + now_us, "seq": -1, "sent_us": now_us, "canary": True}
    try:
        status, body = request("POST", url, order, timeout_s=CANARY_S)
    except OSError:
        return canary.Answer(0, {})
    return canary.Answer(status, body if isinstance(body, dict) else {})
