"""The dispatcher: rounds are issued when the law of time lets them, and their jobs handed to lanes.

``issue[k] = max(issue[k-1] + gap[k], finish[k-depth] + release)``, and for stages in series ``finish`` of the round that
is needed before and ``start`` of the round that must have left the slot. Each of these times is *seen* here, when it
happens; nothing is computed ahead.
"""

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from simpy.events import Event, Timeout

from hwmodel.ledger import Ledger
from hwmodel.plan import Block, Stage, total
from scheduler.lane import Bell, Lane
from scheduler.pool import Pool
from scheduler.ready import ReadyQueue
from scheduler.ticks import TickEnvironment
from scheduler.trace import StageLog
from scheduler.waiting import no_such_round, refuse_undeclared

Adder = Callable[[int], None]
AdderOf = Callable[[Block], Adder | None]


class BlockWork:
    """A block while its rounds are in flight: which jobs were done, and how their products are added.

    For a trace, also when each round was issued, and when each served job ended.
    """

    __slots__ = ("add", "block", "copies", "ends", "gaps", "issued", "need", "pointers", "rounds_left", "served", "ticks")

    def __init__(self, block: Block, add: Adder | None) -> None:
        self.block = block
        self.add = add
        self.served: list[int] = []
        self.ends: list[int] = []
        self.issued: list[int] = []
        self.pointers: list[int] = block.round_pointers.tolist()
        self.copies: list[int] = block.copy.tolist()
        self.ticks: list[int] = block.ticks.tolist()
        self.gaps: list[int] | None = None if block.gaps is None else block.gaps.tolist()
        self.need: list[int] | None = None if block.need is None else block.need.tolist()
        self.rounds_left = block.rounds

    def book(self, ledger: Ledger) -> tuple[int, int]:
        """Book the actions of every job as often as it was done; return the useful ticks and the jobs done."""
        block, served = self.block, self.served
        if (np.bincount(served, minlength=block.jobs) == 1).all() if served else not block.jobs:
            block.book(ledger)
            return total(block.useful_ticks), block.jobs
        for action, counts in block.actions.items():
            ledger.book(action, total(counts[served]))
        for action, counts in block.round_actions.items():
            ledger.book(action, total(counts))
        return total(block.useful_ticks[served]), len(served)


class Round:
    """A round in flight. ``left`` counts its jobs not finished, ``to_start`` those not started if anyone waits for that."""

    __slots__ = ("add", "left", "number", "served", "stage", "to_start", "work")

    def __init__(self, stage: "StageRun", work: BlockWork, number: int, jobs: int, watched: bool) -> None:
        self.stage = stage
        self.work = work
        self.add = work.add
        self.served = work.served
        self.number = number
        self.left = jobs
        self.to_start = jobs if watched else 0

    def finish(self, job: int) -> None:
        """Add a served job's products, note it, and go on if it was the round's last."""
        self.served.append(job)
        if self.add is not None:
            self.add(job)
        self.left -= 1
        if not self.left:
            self.stage.round_done()

    def job_started(self) -> None:
        """Count a started job, and free the slot between the stages when all have."""
        self.to_start -= 1
        if not self.to_start:
            self.stage.round_started(self.number)


class TracedRound(Round):
    """A round of which a trace wants to know when it was issued, and when its jobs ended."""

    __slots__ = ("ends", "env")

    def __init__(self, stage: "StageRun", work: BlockWork, number: int, jobs: int, watched: bool) -> None:
        super().__init__(stage, work, number, jobs, watched)
        self.env = stage.env
        self.ends = work.ends
        work.issued.append(stage.env.now)

    def finish(self, job: int) -> None:
        """Note when a job ends, and finish it."""
        self.ends.append(self.env.now)
        super().finish(job)


class Dispatcher:
    """Issues the rounds of all stages in one order: (tick, stage, sequence)."""

    def __init__(self, env: TickEnvironment) -> None:
        self.env = env
        self.ready: ReadyQueue[StageRun] = ReadyQueue()
        self._issuing = False

    def offer(self, tick: int, stage: "StageRun") -> None:
        """Take a stage's next round, to be issued at a tick, now or later."""
        now = self.env.now
        if tick <= now and not self._issuing and not self.ready:  # nobody is before it
            self._issuing = True
            stage.issue()
            self._issue_due(None)
            return
        self.ready.push(tick, stage.number, stage)
        if tick > now:
            Timeout(self.env, tick - now).callbacks.append(self._issue_due)
        elif not self._issuing:
            self._issue_due(None)

    def _issue_due(self, _event: Event | None) -> None:
        self._issuing = True
        while self.ready and (stage := self.ready.pop_due(self.env.now)) is not None:
            stage.issue()
        self._issuing = False

    def check(self) -> None:
        """Assert that rounds wait in order, each stage's next one once, and none beyond its tick.

        To be called between two SimPy events.
        """
        self.ready.check()
        waiting = self.ready.items()
        assert len({id(stage) for stage in waiting}) == len(waiting)
        assert not self._issuing
        first = self.ready.first_tick
        assert first is None or first >= self.env.now


class StageRun:
    """One stage while it runs: its lanes, its rounds in flight, and what it waits for."""

    lane_type: type[Lane] = Lane

    def __init__(
        self, env: TickEnvironment, number: int, stage: Stage, dispatcher: Dispatcher, adder_of: AdderOf, ledger: Ledger
    ) -> None:
        self.env = env
        self.number = number
        self.stage = stage
        self.dispatcher = dispatcher
        self.adder_of = adder_of
        self.ledger = ledger
        self.upstream: StageRun | None = None
        self.downstream: StageRun | None = None
        self.on_end: Callable[[], None] = lambda: None

        self.bell = Bell(env)
        self.pool: Pool | None = None
        if stage.earliest:
            self.pool = Pool(env)
            self.lanes = [self.lane_type(env, index, Bell(env), self.pool.freed) for index in range(stage.unit.copies)]
            self.pool.lanes = self.lanes
            for lane in self.lanes:
                self.pool.free.push(-1, lane.index, lane)
        else:
            self.lanes = [self.lane_type(env, index, self.bell, None) for index in range(stage.unit.copies)]

        self._inboxes = [lane.inbox.append for lane in self.lanes]
        self._round: type[Round] = Round
        self._log: StageLog | None = None

        self.useful_ticks = 0
        self.jobs = 0
        self.started = env.now
        self.last_finish: int | None = None  # the tick of the last finished job
        self.ended = False
        self.issued = 0  # rounds
        self.finished = 0  # rounds of which every job is finished, and of all rounds before
        self.last_issue = 0
        self._offered = False
        self._in_flight: deque[Round] = deque()
        self._finish_ticks: list[int | None] = []  # of finished rounds; a prefix is dropped unless a later stage reads it
        self._finish_base = 0
        self._start_ticks: dict[int, int] = {}
        self._on_the_way = 0  # jobs issued, whose latency has not passed
        self._blocks: Iterator[Block] = iter(stage.blocks())
        self._work: BlockWork | None = None
        self._next = 0  # the next round's number in its block

    def trace(self, log: StageLog) -> None:
        """Tell a log of every job; to be called before the stage begins."""
        self._log, self._round = log, TracedRound

    def begin(self) -> None:
        """Start the lanes and open the first block; `prepare` then offers the first round."""
        for lane in self.lanes:
            lane.begin()
        self._advance()

    def _advance(self) -> None:
        """Open the next block that has rounds, if the current one has been issued whole."""
        while self._work is None or self._next == self._work.block.rounds:
            block = next(self._blocks, None)
            self._next = 0
            if block is None:
                self._work = None
                return
            block.check(len(self.lanes))
            refuse_undeclared(self.stage, block)
            self._work = BlockWork(block, self.adder_of(block))

    def prepare(self) -> None:
        """Offer the next round to the dispatcher if everything it waits for has happened."""
        if self._offered or self.ended:
            return
        work = self._work
        if work is None:
            if not self._in_flight:
                self.ended = True
                self.on_end()
            return
        number = self.issued
        tick = self.last_issue if number else self.started + self.stage.first_issue
        if number and work.gaps is not None:
            tick += work.gaps[self._next]
        freed = number - self.stage.depth
        if freed >= 0:
            if self.finished <= freed:
                return
            tick = max(tick, self._after(freed, self.stage.release))
        if self.upstream is not None:
            need = number if work.need is None else work.need[self._next]
            if self.upstream.finished <= need:
                if self.upstream.ended:
                    raise no_such_round(self.stage, number, need, self.upstream.finished)
                return
            tick = max(tick, self.upstream._after(need, self.stage.hop))
        if self.downstream is not None and self.downstream.stage.slots is not None:
            left = number - self.downstream.stage.slots
            if left >= 0:
                if left not in self.downstream._start_ticks:
                    return
                tick = max(tick, self.downstream._start_ticks[left])
        self._offered = True
        self.dispatcher.offer(tick, self)

    def issue(self) -> None:
        """Issue the next round: its jobs reach their lanes after the latency."""
        work, number = self._work, self.issued
        assert work is not None
        first, stop = work.pointers[self._next], work.pointers[self._next + 1]
        watched = self.upstream is not None and self.stage.slots is not None
        round_ = self._round(self, work, number, stop - first, watched)
        self._offered = False
        self.issued += 1
        self.last_issue = self.env.now
        self._next += 1
        self._in_flight.append(round_)
        self._advance()
        if first == stop:
            if watched:
                self._start_ticks[number] = self.env.now
            self.round_done(empty=True)
        elif self.stage.latency:
            self._on_the_way += stop - first
            delivery = Timeout(self.env, self.stage.latency)
            delivery.callbacks.append(lambda _event: self._arrive(round_, first, stop))
            self.prepare()
        else:
            self._deliver(round_, first, stop)
            self.prepare()

    def _arrive(self, round_: Round, first: int, stop: int) -> None:
        self._on_the_way -= stop - first
        self._deliver(round_, first, stop)

    def _deliver(self, round_: Round, first: int, stop: int) -> None:
        copies, ticks = round_.work.copies, round_.work.ticks
        if self.pool is not None:
            for job in range(first, stop):
                self.pool.add(copies[job], (job, ticks[job], round_))
            return
        inboxes = self._inboxes
        for job in range(first, stop):
            inboxes[copies[job]]((job, ticks[job], round_))
        self.bell.ring()

    def round_started(self, number: int) -> None:
        """Note when all jobs of a round had started, which frees a slot for the stage before."""
        self._start_ticks[number] = self.env.now
        assert self.upstream is not None
        self.upstream.prepare()

    def round_done(self, empty: bool = False) -> None:
        """Retire finished rounds in order, and prepare what waited for them."""
        if not empty:
            self.last_finish = self.env.now
        in_flight = self._in_flight
        retired = False
        while in_flight and not in_flight[0].left:
            work = in_flight.popleft().work
            self._finish_ticks.append(self.last_finish)
            self.finished += 1
            retired = True
            work.rounds_left -= 1
            if not work.rounds_left:
                useful_ticks, jobs = work.book(self.ledger)
                self.useful_ticks += useful_ticks
                self.jobs += jobs
                if self._log is not None:
                    self._log.book(work, self.stage.latency)
        if retired or empty:
            self._forget()
            self.prepare()
            if self.downstream is not None:
                self.downstream.prepare()
            if empty and self.upstream is not None:
                self.upstream.prepare()

    def _after(self, number: int, delay: int) -> int:
        """Return the tick a delay after the last job of a round and of all before it; the start if there was no job."""
        finish = self._finish_ticks[number - self._finish_base] if number >= 0 else None
        return self.started if finish is None else finish + delay

    def _forget(self) -> None:
        """Drop finish ticks that nobody will ask for again, a thousand at a time."""
        if self.downstream is None and len(self._finish_ticks) > 1024 + self.stage.depth:
            del self._finish_ticks[:1024]
            self._finish_base += 1024

    def close(self) -> None:
        """Wake the lanes for the last time."""
        for lane in self.lanes:
            lane.closed = True
            lane.bell.ring()

    def check(self) -> None:
        """Assert that rounds and jobs add up, here and in the dispatcher, the pool and the lanes.

        To be called between two SimPy events.
        """
        self._check_rounds()
        self._check_jobs()
        self.dispatcher.check()
        if self.pool is not None:
            self.pool.check()
        for lane in self.lanes:
            lane.check()
        for bell in {id(lane.bell): lane.bell for lane in self.lanes}.values():
            assert bell.sleepers == sum(lane.asleep and lane.bell is bell for lane in self.lanes)

    def _check_rounds(self) -> None:
        assert self.issued == self.finished + len(self._in_flight)
        assert len(self._in_flight) <= self.stage.depth
        assert all(round_.left >= 0 for round_ in self._in_flight)
        assert not self._in_flight or self._in_flight[0].left  # or it would have been retired
        assert [round_.number for round_ in self._in_flight] == list(range(self.finished, self.issued))
        assert self._offered == any(stage is self for stage in self.dispatcher.ready.items())
        assert not self.ended or (self._work is None and not self._in_flight and not self._offered)
        assert self.finished == self._finish_base + len(self._finish_ticks)
        finishes = [tick for tick in self._finish_ticks if tick is not None]
        assert finishes == sorted(finishes)
        seen = [*finishes, *self._start_ticks.values(), *([self.last_issue] if self.issued else [])]
        assert all(self.started <= tick <= self.env.now for tick in seen)
        assert all(number < self.issued for number in self._start_ticks)

    def _waiting(self) -> list[tuple[Round, int]]:
        """List the jobs that have been delivered and are not begun."""
        waiting = [(round_, job) for lane in self.lanes for job, _, round_ in lane.inbox]
        waiting += [(round_, job) for lane in self.lanes for _, _, (job, _, round_) in lane.parked]
        if self.pool is not None:
            waiting += [(round_, job) for _, _, (job, _, round_) in self.pool.jobs.items()]
        return waiting

    def _check_jobs(self) -> None:
        """Assert that each job of the rounds in flight is on the way, waits, is served or is done, and only one of them."""
        waiting = self._waiting()
        serving = sum(lane.serving for lane in self.lanes)
        assert sum(round_.left for round_ in self._in_flight) == self._on_the_way + len(waiting) + serving
        assert len({(id(round_), job) for round_, job in waiting}) == len(waiting)
        assert not any(job in round_.served for round_, job in waiting)
        for work in {id(round_.work): round_.work for round_ in self._in_flight}.values():
            rounds = [round_ for round_ in self._in_flight if round_.work is work]
            issued = self._next if work is self._work else work.block.rounds
            assert work.rounds_left == work.block.rounds - issued + len(rounds)
            assert len(set(work.served)) == len(work.served)
            assert len(work.served) + sum(round_.left for round_ in rounds) == work.pointers[issued]
