"""What a fault does inside a node, reached through its container: processes, control groups, packet filters.

Every script takes its names as arguments, and exits with 0 when there is nothing to do.
"""

import uuid
from collections.abc import Sequence

from experiments.faults import containers, verbs
from experiments.faults.base import nothing
from experiments.faults.verbs import Lift
from experiments.platforms.shell import CommandError

# Processes of a pod or a container: those whose control group names its identity, in either spelling.
PROCESSES = """grep -lsE "$1|$(echo "$1" | tr - _)" /proc/[0-9]*/cgroup | cut -d/ -f3"""
_SIGNAL = f"for p in $({PROCESSES}); do kill -s $2 $p 2>/dev/null; done; true"
_STATES = f"for p in $({PROCESSES}); do sed -n 's/^State:[[:space:]]*//p' /proc/$p/status 2>/dev/null; done"
_IS_MARKED = """tr '\\0' ' ' < /proc/$p/cmdline 2>/dev/null | grep -q -- "$2" """
_MARKED = f"for p in $({PROCESSES}); do {_IS_MARKED} && echo $p; done; true"
_KILL_MARKED = f"for p in $({PROCESSES}); do {_IS_MARKED} && kill -9 $p; done; true"

# A container's control group, by the container's identity. Version 1 has a tree for each controller, version 2 one.
_GROUP = 'g=$(find /sys/fs/cgroup/$2 /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null | head -n 1)'
_READ = f"""{_GROUP}; shift 2; for f in "$@"; do if [ -f "$g/$f" ]; then cat "$g/$f"; exit; fi; done; exit 1"""
_WRITE = f"""{_GROUP}; [ -n "$g" ] || exit 0; echo "$4" > "$g/$3" """
_CONTROLLER = {"cpu": ("cpu.cfs_quota_us", "cpu.max"), "memory": ("memory.usage_in_bytes", "memory.current")}

# `docker exec` leaves running what it has started when its caller dies. So what a plan does in a node and what its lift
# does there take turns, and what comes after the lift is not done. $1: lock, $2: token of the plan, $3: inject or lift.
_IN_TURN = """exec 9>"/run/gameday-$1.lock"
flock -w 60 9 || { echo "somebody else works on $1 since 60 s" >&2; exit 75; }
if [ "$3" = lift ]; then : > "/run/gameday-$2.lifted"
elif [ -e "/run/gameday-$2.lifted" ]; then echo "it was lifted before it began" >&2; exit 76; fi
shift 3; exec "$@" """


def shell(script: str, *arguments: str) -> list[str]:
    """Command that runs a script with arguments."""
    return ["sh", "-c", script, "gameday", *arguments]


def token() -> str:
    """A token of a plan's own: what is made under it in a node is that plan's and no other's."""
    return uuid.uuid4().hex[:12]


def injecting(token: str, command: Sequence[str], lock: str = "") -> list[str]:
    """Command that does a part of an injection unless its lift has begun.

    Args:
        token: the plan's.
        command: what to do.
        lock: what is worked on, one at a time; nothing: only the plan's own commands take turns.
    """
    return shell(_IN_TURN, lock or token, token, "inject", *command)


def lifting(node: str, token: str, command: Sequence[str], lock: str = "") -> Lift:
    """Lift that runs a command in a node once no injection of the plan runs there; none begins after it."""
    return verbs.execute(node, shell(_IN_TURN, lock or token, token, "lift", *command))


def signalling(identity: str, signal: str) -> list[str]:
    """Command that sends a signal to every process of a pod or container."""
    return shell(_SIGNAL, identity, signal)


def killing_marked(identity: str, mark: str) -> list[str]:
    """Command that kills the processes of a pod or container whose command line holds a mark."""
    return shell(_KILL_MARKED, identity, mark)


def states(node: str, identity: str) -> list[str]:
    """States of the processes of a pod or container, their first letters: T is stopped."""
    return [line[0] for line in run(node, shell(_STATES, identity)).splitlines() if line]


def marked(node: str, identity: str, mark: str) -> list[str]:
    """Processes of a pod or container whose command line holds a mark."""
    return run(node, shell(_MARKED, identity, mark)).split()


def starting(container: str, exec_id: str, command: Sequence[str]) -> list[str]:
    """Command that starts a process inside a container, within its limits, and does not wait for it."""
    return ["ctr", "-n", "k8s.io", "task", "exec", "--detach", "--exec-id", exec_id, container, *command]


def running(container: str, exec_id: str, command: Sequence[str]) -> list[str]:
    """Command that runs a process inside a container to its end."""
    return ["ctr", "-n", "k8s.io", "task", "exec", "--exec-id", exec_id, container, *command]


# --- control groups


def quota(node: str, container: str) -> tuple[str, str]:
    """The file that limits a container's CPU, and what it holds; version 2 holds the period beside it."""
    for file in _CONTROLLER["cpu"]:
        try:
            return file, run(node, shell(_READ, container, "cpu", file)).strip()
        except CommandError:
            continue
    raise nothing(node, f"no limit of CPU for container {container[:12]}", "one that can be set")


def limiting(container: str, file: str, value: str) -> list[str]:
    """Command that limits a container's CPU; nothing happens when the container is gone."""
    return shell(_WRITE, container, "cpu", file, value)


def quota_of(file: str, cpu: float, before: str) -> str:
    """What the file must hold for so many CPUs, in the period that it has."""
    if file == "cpu.max":
        period = int(before.split()[1])
        return f"{round(cpu * period)} {period}"
    return str(round(cpu * 100_000))


def throttled(node: str, container: str) -> int:
    """How often a container had to wait because its CPU was used up."""
    words = run(node, shell(_READ, container, "cpu", "cpu.stat")).split()
    return int(words[words.index("nr_throttled") + 1])


def memory(node: str, container: str) -> int:
    """Bytes of memory that a container uses."""
    return int(run(node, shell(_READ, container, "memory", *_CONTROLLER["memory"])))


def run(node: str, command: Sequence[str]) -> str:
    """Run a command in a node; it must succeed."""
    return containers.execute(node, *command)


# --- packets: each fault has a table of its own in the node's network namespace


def filtering(table: str, rules: Sequence[str]) -> list[str]:
    """Command that makes a table with rules; chains and rules in nft's own words."""
    return ["nft", "; ".join([f"add table inet {table}", *rules])]


def unfiltering(table: str) -> list[str]:
    """Command that removes a table, whether it is there or not."""
    return ["nft", f"add table inet {table}; delete table inet {table}"]


def is_filtering(node: str, table: str) -> bool:
    """Whether a node has a table."""
    return f"table inet {table}" in run(node, ["nft", "list", "tables"])


def filtered(node: str, table: str) -> int:
    """Packets that the counters of a table have counted."""
    words = run(node, ["nft", "list", "table", "inet", table]).split()
    return sum(int(words[n + 1]) for n, word in enumerate(words) if word == "packets")
