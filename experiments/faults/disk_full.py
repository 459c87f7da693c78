"""disk-full: the disk of the write-ahead log is full. It is a small one of its own, in memory, never the machine's.

The primary is stopped, its log is moved to a file system of bounded size, which is filled to the last byte, and the
primary is started again. It dies at the next segment of its log, and whenever it starts, until there is room.
"""

from typing import Any

import psycopg

from experiments.faults import base, database, inside, verbs
from experiments.operate.moments import moments
from experiments.safety.tunnel import data_of
from experiments.testbed.layout import PLACES

ROOM_MB = 16  # beside what the log holds when it is moved: it is the filler's
STARTS_WITHIN_S = 60.0
_WRITTEN = "SELECT pg_logical_emit_message(false, 'gameday', repeat('x', 4000000))"

# $1: the database's pod (another container of it may run by now), $2: folder of its data on the node, $3: MB of room.
# A log that was moved whole says so, so that it is known which of the two holds the last write.
_ENDED = f"""systemctl stop kubelet
mine() {{ for p in $({inside.PROCESSES}); do grep -qE '^(postgres|bash)$' /proc/$p/comm 2>/dev/null && echo $p; done; }}
n=0; for p in $(mine "$1"); do kill -s $signal $p 2>/dev/null; done
while [ $n -lt 60 ] && [ -n "$(mine "$1")" ]; do sleep 0.1; n=$((n + 1)); done
for p in $(mine "$1"); do kill -9 $p 2>/dev/null; done
log=$2/pg/pg_wal disk=$2/wal.disk new=$2/wal.new
"""
_FILL = f"""signal=INT; {_ENDED}
mv $log $disk && mkdir $log
mount -t tmpfs -o size=$(($(du -sm $disk | cut -f1) + $3))m,mode=0700 tmpfs $log
cp -a $disk/. $log/ && touch $disk/moved
dd if=/dev/zero of=$log/filler bs=64k 2>/dev/null
systemctl start kubelet"""
_EMPTY = f"""[ -d $2/wal.disk ] || exit 0
signal=KILL; {_ENDED}
if [ -e $disk/moved ]; then
  rm -f $log/filler && rm -rf $new && mkdir $new && cp -a $log/. $new/ &&
    umount $log && rmdir $log && mv $new $log && rm -rf $disk
else
  umount $log 2>/dev/null; rm -rf $log && mv $disk $log
fi
done=$?; systemctl start kubelet; exit $done"""


def plan(region: str) -> base.Plan:
    """Plan to move the primary's log to a small disk and fill it."""
    pod, data = database.primary(region), data_of(PLACES[region])
    lift = verbs.execute(data.node, inside.shell(_EMPTY, pod["uid"], data.folder))
    radius = (
        f"the disk of the write-ahead log of {region} is full: the primary is restarted on a small one, and dies. "
        f"Whoever stops the node {data.node} meanwhile loses the log."
    )
    facts = {"region": region, "pod": pod, "node": data.node, "folder": data.folder}
    return base.Plan("disk-full", (f"{region}/database",), radius, (lift,), facts)


def inject(fault: str, region: str) -> dict[str, Any]:
    """Move the log, fill its disk, and write until the primary finds no room."""
    return base.inject(fault, plan(region), _act)


def _act(planned: base.Plan) -> None:
    facts = planned.facts
    inside.run(facts["node"], inside.shell(_FILL, facts["pod"]["uid"], facts["folder"], str(ROOM_MB)))
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
