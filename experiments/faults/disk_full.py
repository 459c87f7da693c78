"""disk-full: the disk of the write-ahead log is full. It is a small one of its own, in memory, never the machine's.

The primary is stopped, its log is moved to a file system of bounded size, which is filled to the last byte, and the
primary is started again. It dies at the next segment of its log, and whenever it starts, until there is room.
"""

from typing import Any

import psycopg

from experiments.faults import base, database, inside
from experiments.operate.moments import moments
from experiments.safety.tunnel import data_of
from experiments.testbed.layout import PLACES

ROOM_MB = 16  # beside what the log holds when it is moved: it is the filler's
STARTS_WITHIN_S = 60.0
_LOCK = "wal"  # of a node: lifts of other plans, too, work on the same log
_WRITTEN = "SELECT pg_logical_emit_message(false, 'gameday', repeat('x', 4000000))"

# $1: the database's pod (another container of it may run by now), $2: folder of its data on the node, $3: MB of room.
# Each step leaves the log whole in one place, and the names say in which: a script may be killed at any of them.
#   pg_wal    the log; a small file system in memory while the fault holds
#   wal.disk  the log as it was moved away; `moved` is in it once the small file system holds all of it
#   wal.back  the log as it was brought back, whole; wal.new while it is copied, wal.old what is only to be removed
_NAMES = "log=$2/pg/pg_wal disk=$2/wal.disk new=$2/wal.new back=$2/wal.back old=$2/wal.old"
_ENDED = f"""fail() {{ echo "$1" >&2; exit 1; }}
trap 'systemctl start kubelet' EXIT
systemctl stop kubelet
mine() {{ for p in $({inside.PROCESSES}); do grep -qE '^(postgres|bash)$' /proc/$p/comm 2>/dev/null && echo $p; done; }}
n=0; for p in $(mine "$1"); do kill -s $signal $p 2>/dev/null; done
while [ $n -lt 60 ] && [ -n "$(mine "$1")" ]; do sleep 0.1; n=$((n + 1)); done
for p in $(mine "$1"); do kill -9 $p 2>/dev/null; done
"""
_FILL = f"""{_NAMES} signal=INT
[ ! -e $disk ] || {{ echo "$disk is there: the log was moved before and not brought back" >&2; exit 1; }}
{_ENDED}
rm -rf $new $back $old
mv $log $disk && mkdir $log &&
  mount -t tmpfs -o size=$(($(du -sm $disk | cut -f1) + $3))m,mode=0700 tmpfs $log &&
  cp -a $disk/. $log/ && touch $disk/moved ||
  {{ trap - EXIT; fail "the log could not be moved to a disk of its own"; }}  # the lift starts what was ended
dd if=/dev/zero of=$log/filler bs=64k 2>/dev/null
true"""
_EMPTY = f"""{_NAMES} signal=KILL
[ -d $disk ] || {{ rm -rf $old; exit 0; }}
{_ENDED}
files() {{ (cd $1 && find . -type f ! -name filler -printf '%P %s\\n' | sort); }}
if [ ! -e $disk/moved ]; then
  if mountpoint -q $log; then umount $log || fail "$log is in use"; fi
  rm -rf $log && mv $disk $log || fail "the log could not be put back from $disk"
  exit 0
fi
if mountpoint -q $log; then
  n=0; until mount -o remount,ro $log; do
    n=$((n + 1)); [ $n -lt 20 ] || fail "somebody writes to $log"; sleep 0.1
  done
  rm -rf $new $back; mkdir $new && cp -a $log/. $new/ && rm -f $new/filler || fail "no room for the log"
  [ "$(files $log)" = "$(files $new)" ] || fail "the log did not come back whole"
  mv $new $back && umount $log || fail "$log is in use"
fi
if [ -d $back ]; then
  if [ -d $log ]; then rmdir $log || fail "$log is not empty"; fi
  mv $back $log
fi
[ -n "$(ls -A $log)" ] || fail "the log is lost: its disk was in memory, and the node was stopped"
mv $disk $old && rm -rf $old"""


def plan(region: str) -> base.Plan:
    """Plan to move the primary's log to a small disk and fill it."""
    pod, data = database.primary(region), data_of(PLACES[region])
    token = inside.token()
    lift = inside.lifting(data.node, token, inside.shell(_EMPTY, pod["uid"], data.folder), _LOCK)
    radius = (
        f"the disk of the write-ahead log of {region} is full: the primary is restarted on a small one, and dies. "
        f"Whoever stops the node {data.node} meanwhile loses the log."
    )
    facts = {"region": region, "pod": pod, "node": data.node, "folder": data.folder, "token": token}
    return base.Plan("disk-full", (f"{region}/database",), radius, (lift,), facts)


def inject(fault: str, region: str) -> dict[str, Any]:
    """Move the log, fill its disk, and write until the primary finds no room."""
    return base.inject(fault, plan(region), _act)


def _act(planned: base.Plan) -> None:
    facts = planned.facts
    fill = inside.shell(_FILL, facts["pod"]["uid"], facts["folder"], str(ROOM_MB))
    inside.run(facts["node"], inside.injecting(facts["token"], fill, _LOCK))
    moments.poll(lambda: database.state(facts["region"]) is not None, STARTS_WITHIN_S, every_s=0.5)
    moments.poll(lambda: not _could_write(facts["region"]), STARTS_WITHIN_S)


def _could_write(region: str) -> bool:
    """Write a little to the log. Returns whether there was room."""
    try:
        with database.connect(region, "postgres") as connection:
            connection.execute(_WRITTEN)
    except psycopg.Error:
        return False
    return True


def landed(fault: str) -> bool:
    """Whether the disk has no room, and no row can be written."""

    def see(planned: base.Plan) -> bool:
        facts = planned.facts
        free = inside.run(facts["node"], ["stat", "-f", "-c", "%a", f"{facts['folder']}/pg/pg_wal"])
        return int(free) == 0 and not database.writes(facts["region"])

    return base.look(fault, see, without=False)


def gone(fault: str) -> bool:
    """Whether the log is where it was, and rows can be written somewhere."""

    def see(planned: base.Plan) -> bool:
        moved = inside.run(planned.facts["node"], ["sh", "-c", f"ls -d {planned.facts['folder']}/wal.disk || true"])
        return not moved.strip() and any(map(database.writes, PLACES))

    return base.look(fault, see, without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    """Move the log back to where it was."""
    return base.lift(fault, by)
