"""The callee's side of the data plane's page, section 3: accept, start, processor sharing, commit, answer."""

from collections.abc import Callable
from heapq import heappop, heappush

from sim.data.commands import ReplicaState, Status
from sim.reference.chances import Chances
from sim.reference.clockwork import Clockwork, Kind
from sim.reference.databases import Databases
from sim.reference.ledger import Ledger, bin_of
from sim.reference.things import SPEED_ONE, Call, Job, Replica, Station

FAILED_BY_THE_POD = (Status.READ_ONLY, Status.CALLEE_FAILED, Status.QUEUE_FULL, Status.QUEUE_TIMEOUT)


class Servers:
    """All replicas. `go_on` issues a job's call to its callee; `result` tells a call how it ended."""

    def __init__(
        self,
        env: Clockwork,
        stations: list[Station],
        databases: Databases,
        chances: Chances,
        ledger: Ledger,
        stays_at_entry: list[bool],
    ) -> None:
        self._env = env
        self._stations = stations
        self._databases = databases
        self._chances = chances
        self._ledger = ledger
        self._stays_at_entry = stays_at_entry  # by class
        self.go_on: Callable[[Job], None]
        self.pass_on: Callable[[Job], None]
        self.result: Callable[[Call, Status], None]

    def deliver(self, call: Call, replica: Replica) -> None:
        """Step 6: the replica's state decides."""
        self._ledger.tally(self._env.now_ns, replica.station).attempts += 1
        if replica.state == ReplicaState.SERVING:
            self._accept(call, replica)
        elif replica.state == ReplicaState.REFUSING:
            self._env.add(self.result, call, Status.REFUSED)
        else:
            self._ledger.features["black hole"] += 1

    def _accept(self, call: Call, replica: Replica) -> None:
        env, station = self._env, self._stations[replica.station]
        if replica.slots_held >= station.slots and len(replica.queue) >= station.queue_capacity:
            self._count_answer(replica, Status.QUEUE_FULL)
            env.add(self.result, call, Status.QUEUE_FULL)
            return
        job = Job(call, replica, accepted_ns=env.now_ns)
        replica.jobs[call.seq] = job
        self._ledger.tally(env.now_ns, replica.station).sent += 1
        if replica.slots_held < station.slots:
            self._start(job)
            return
        replica.queue.append(job)
        self._ledger.features["queued"] += 1
        if station.queue_patience > 0:
            deadline = env.now_ns + self._chances.patience_ns(call, station)
            job.patience = env.plan(deadline, Kind.QUEUE_PATIENCE_ENDS, (call.seq,), self._queue_patience_ends, job)

    def _queue_patience_ends(self, job: Job) -> None:
        job.replica.queue.remove(job)
        del job.replica.jobs[job.call.seq]
        self._count_answer(job.replica, Status.QUEUE_TIMEOUT)
        self._env.add(self.result, job.call, Status.QUEUE_TIMEOUT)

    def start_next(self, replica: Replica) -> None:
        """START_NEXT: while a slot is free and a job waits, start the head of the queue."""
        while replica.queue and replica.slots_held < self._stations[replica.station].slots:
            self._start(replica.queue.popleft())

    def _start(self, job: Job) -> None:
        replica = job.replica
        station = self._stations[replica.station]
        if job.patience is not None:
            job.patience.call_off()
        replica.slots_held += 1
        job.work_ns = self._work_ns(job, station)
        self.update_work(replica)
        goal = replica.virtual_work + job.work_ns * SPEED_ONE
        heappush(replica.working, (goal, job.call.seq, job))
        self.plan_completion(replica)

    def _work_ns(self, job: Job, station: Station) -> int:
        replica, now = job.replica, self._env.now_ns
        work = self._chances.work_ns(job.call, station)
        work = max(1, work * replica.slow_milli // 1000)
        self._ledger.features["slow start"] += replica.slow_milli != 1000
        if replica.warm_until_ns > now:
            self._ledger.features["warm start"] += 1
            factor = 1000 + (station.warm_milli - 1000) * (replica.warm_until_ns - now) // station.warm_time
            work = max(1, work * factor // 1000)
        return work

    def update_work(self, replica: Replica) -> None:
        """Bring virtual work up to now; to be called before the number of working jobs or the speed changes."""
        now = self._env.now_ns
        if replica.working:
            replica.virtual_work += (now - replica.updated_ns) * replica.speed
        replica.updated_ns = now

    def plan_completion(self, replica: Replica) -> None:
        """Plan when the job with the least (goal, seq) is done, at the speed of now."""
        if not replica.working:
            replica.virtual_work = 0
            if replica.completion is not None:
                replica.completion.call_off()
                replica.completion = None
            return
        goal, seq, _ = replica.working[0]
        speed = replica.speed
        self._ledger.features["shared processor"] += speed != SPEED_ONE
        if replica.completion is not None:
            if replica.completion_of == (goal, seq, speed):
                return
            replica.completion.call_off()
        left = goal - replica.virtual_work
        at_ns = replica.updated_ns + max(0, -(-left // speed))
        replica.completion_of = (goal, seq, speed)
        replica.completion = self._env.plan(
            at_ns, Kind.OWN_WORK_DONE, (replica.number, goal, seq), self._own_work_done, replica
        )

    def _own_work_done(self, replica: Replica) -> None:
        self.update_work(replica)
        _, _, job = heappop(replica.working)
        replica.completion = None
        self.plan_completion(replica)
        station, now = self._stations[replica.station], self._env.now_ns
        replica.work_done_ns += job.work_ns
        self._ledger.tally(now, station.number).own[bin_of(now - job.accepted_ns)] += 1
        if station.edge >= 0 and not self._stays_at_entry[job.call.request.kind]:
            self.go_on(job)
        elif station.database >= 0:
            self._commit(job, station.database)
        else:
            self.answer(job, Status.OK)

    def _commit(self, job: Job, database: int) -> None:
        status = self._databases.write(database, job.call.request, self._env.now_ns)
        if status == Status.OK and self._databases.waits_for_gate(database, job):
            return
        self.answer(job, status)

    def open_gate(self, database: int) -> None:
        """All jobs that wait for the gate answer OK, in order."""
        for job in self._databases.open_gate(database):
            job.commits_in = -1
            self.answer(job, Status.OK)

    def answer(self, job: Job, status: Status) -> None:
        """The job is over: its slot is freed, then START_NEXT, then RESULT."""
        self._count_answer(job.replica, status)
        self.leave(job)
        self._env.add(self.result, job.call, status)

    def leave(self, job: Job) -> None:
        """Free the slot of a job that is over; START_NEXT goes on the agenda."""
        job.replica.slots_held -= 1
        del job.replica.jobs[job.call.seq]
        self._env.add(self.start_next, job.replica)

    def count_passed_on(self, job: Job) -> None:
        """A job passed on over an async edge counts as answered OK."""
        self._count_answer(job.replica, Status.OK)

    def _count_answer(self, replica: Replica, status: Status) -> None:
        tally = self._ledger.tally(self._env.now_ns, replica.station)
        if status == Status.OK:
            tally.ok += 1
            replica.answered_ok += 1
        else:
            assert status in FAILED_BY_THE_POD
            tally.failed += 1
            replica.answered_failed += 1
