"""The primary comes home after a failover, and nothing acknowledged is lost: the procedure `failback`, by its verbs.

The database at home follows the new primary by now. It has everything before the new one is fenced, and again after
it: between fencing and the change of the name nothing is written, a second outage. Each step looks first or can be
done twice, so that one who was stopped half-way calls it again.
"""

from collections.abc import Callable

from experiments.operate import reseeding
from experiments.operate.verbs import perform
from experiments.safety.demotion import demote
from experiments.testbed import outside, status
from experiments.testbed.layout import PLACES, Place
from experiments.testbed.plan import plan

type Progress = Callable[[float, str], None]  # share done, what is done now


def come_home(now: Place, home: Place, progress: Progress) -> None:
    """Bring the primary from `now` to `home`, whose database follows it.

    Raises:
        NotCaughtUpError: the database at home does not get what the primary has; nothing was changed, or only fenced.
        StepError, LeftBehindError: a step was refused; called again, it goes on.
        OSError, psycopg.Error, HTTPError: something does not answer.
    """
    progress(0.0, f"{home.region} catches up")
    reseeding.catch_up(home.region)
    progress(0.1, f"{now.region} is fenced")
    perform("fence", {"region": now.region}, {})
    reseeding.catch_up(home.region)
    end(now, home, progress)


def end(now: Place, home: Place, progress: Progress) -> None:
    """The rest of it, from the promotion on: `now` has been fenced. Raises as `come_home`."""
    target, services = {"region": home.region}, plan().topology.services
    everything = {"plan": {name: service.replicas for name, service in services.items()}}
    progress(0.3, f"{home.region} is promoted")
    perform("promote", target, {})
    perform("deploy", target, everything)
    perform("wait_ready", target, everything)
    outside.call("POST", f"{outside.OUTSIDE}/dns/block", {"blocked": False})
    perform("switch_dns", target, {})
    demote(now, home, {}, lambda share, words: progress(0.5 + 0.5 * share, words))
    as_planned()


def as_planned() -> None:
    """Scale what runs otherwise than planned: a failback that was stopped leaves services away. Raises as `come_home`.

    A region whose API tells nothing is left alone.
    """
    regions, services = status.look().regions, plan().topology.services
    for place in PLACES.values():
        known, planned = regions[place.region].workloads, plan().replicas(place)
        wanted = {name: planned[s.deployment] for name, s in services.items() if s.deployment in known}
        wrong = {name: n for name, n in wanted.items() if known[services[name].deployment].wanted != n}
        if wrong:
            perform("deploy", {"region": place.region}, {"plan": wrong})


def is_primary_instead(other: Place, was: Place, holder: str | None) -> bool:
    """Whether `other` is the primary now, not `was`: the one out of recovery to which the writer's lease is granted.

    The lease is granted before a promotion. Where it decides nothing, of two that are out of recovery the later
    timeline counts: the one before is fenced then, and writes nothing.

    Args:
        other: the one asked for.
        was: the one before.
        holder: region to which the lease is granted; nothing: it is fenced, or the witness is silent.
    """
    there, here = status.database(other), status.database(was)
    if there is None or not there.writable:
        return False
    if here is None:  # silent: it is the primary still unless the lease has gone
        return holder != was.region
    if not here.writable:
        return True
    return holder == other.region if holder in (other.region, was.region) else there.timeline > here.timeline


def is_half_way(now: Place, home: Place, holder: str | None) -> bool:
    """Whether home was promoted again, and the primary elsewhere was not made its standby yet."""
    there, here = status.database(now), status.database(home)
    promoted = here is not None and here.writable
    return promoted and there is not None and there.writable and not is_primary_instead(now, home, holder)
