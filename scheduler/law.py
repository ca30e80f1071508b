"""The law of time over whole arrays: the bulk engine.

For round k of a stage and unit copy u, with a term of a negative index, or of what does not exist, left out:

    issue[k]    = max( issue[k-1] + gaps[k],                        issue[0] >= first_issue
                       finish[k-depth] + release,
                       finish'[need[k]] + hop, issue'[need[k]],     of the stage before, need[k] = k unless it is given
                       start"[k-slots"] )                           of the stage after, if it has slots
    start[k,u]  = max( issue[k] + latency, finish[k-1,u] )
    finish[k,u] = start[k,u] + ticks[k,u]
    ticks       = max over stages of issue[last] and finish[last], + drain if there was a job

``finish[k]`` is the maximum over the copies that have worked so far, ``start[k]`` that over the jobs of the round, or its
issue if it has none. A job names its copy u or takes the earliest: the one free first, the lowest index on a tie, one that
has not worked before every other. This is no approximation of the event engine: both give the same numbers, always.

    solve                a plan -> its outcome
      _Rounds.open       the next block of a stage, checked, its actions booked
      _in_lockstep       rounds in which the same lanes wait for each other, in one go
      _advance           compiled: issues rounds of all stages until one of them needs its next block
        _issue           the recurrence above, for as many rounds of one stage as what it waits for is known
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.ledger import Ledger
from hwmodel.plan import Lockstep, Plan, Rounds, Stage
from hwmodel.products import Products
from scheduler.outcome import Outcome
from scheduler.waiting import no_such_round, nothing_can_happen, refuse_undeclared, too_many_ticks

Integers = NDArray[np.int64]

NONE = np.zeros(0, dtype=np.int64)
NEVER = -1  # the tick of what has not happened

# Columns of the parameters of stages.
DEPTH, FIRST_ISSUE, LATENCY, RELEASE, HOP, SLOTS = range(6)
UNBOUNDED = -1  # slots that any number of rounds may wait in
LARGEST = np.iinfo(np.int64).max
ANY_NUMBER = 1 << 62  # of rounds: no plan has as many

# Columns of the state of stages. The histories begin at a round that moves on, so that they do not grow without need.
ISSUED, NEXT, LAST_ISSUE, LAST_FINISH, FINISHES_FROM, STARTS_FROM = range(6)

# Columns of the state of copies.
FREE_AT, BUSY, WAITED = range(3)

# What `_advance` returns beside the number of a stage that needs its next block.
STUCK, OVERFLOWED = -1, -2


def solve(plan: Plan, products: Products | None = None) -> Outcome:
    """Work out what a plan takes, without playing it.

    Parameters
    ----------
    plan
        What there is to do.
    products
        Whose ``carried`` the products that the plan's jobs carry are added to; None to leave them uncounted.

    Raises
    ------
    ParameterError
        If the plan contradicts itself (a copy that does not exist, a round that never comes).
    CountError
        If a tick does not fit 64 bits.

    Cost: some nanoseconds a job; with `EARLIEST`, a look at each copy more. Memory for one block of each stage, for the
    rounds in flight, and for 8 bytes a round of a stage that another one stands behind.
    """
    ledger = Ledger()
    if products is not None:
        products.begin_counting()
    stages = [_Rounds(stage, number == len(plan.stages) - 1) for number, stage in enumerate(plan.stages)]
    alone = len(stages) == 1
    parameters = np.array([_parameters(stage) for stage in plan.stages], dtype=np.int64)
    state = np.zeros((len(stages), 6), dtype=np.int64)
    state[:, LAST_FINISH] = NEVER
    copies = np.zeros((plan.copies, 3), dtype=np.int64)
    copies[:, FREE_AT] = NEVER
    first_copies = NONE
    opened = range(len(stages))
    while True:
        for number in opened:
            stages[number].open(state, number, ledger, products, parameters[0] if alone else None, copies)
        if alone and stages[0].ended:
            break
        if not first_copies.size:
            first_copies = np.cumsum([0, *(stage.unit.copies for stage in plan.stages)])
        asked = _advance(
            parameters,
            state,
            copies,
            first_copies,
            tuple(stage.ended for stage in stages),
            tuple(stage.pointers for stage in stages),
            tuple(stage.copy for stage in stages),
            tuple(stage.ticks for stage in stages),
            tuple(stage.gaps for stage in stages),
            tuple(stage.need for stage in stages),
            tuple(stage.finishes for stage in stages),
            tuple(stage.passed for stage in stages),
            tuple(stage.starts for stage in stages),
        )
        if asked == OVERFLOWED:
            raise too_many_ticks()
        if asked == STUCK:
            break
        opened = range(asked, asked + 1)
    _refuse_waiting(stages, state)
    return _outcome(plan, stages, state, copies, ledger, products)


def _parameters(stage: Stage) -> list[int]:
    slots = UNBOUNDED if stage.slots is None else min(stage.slots, ANY_NUMBER)
    return [min(stage.depth, ANY_NUMBER), stage.first_issue, stage.latency, stage.release, stage.hop, slots]


class _Rounds:
    """The rounds of one stage: the block at hand, and as much of what has happened as somebody may ask for.

    Attributes
    ----------
    finishes
        For rounds from ``FINISHES_FROM`` on, ``finish[k]`` or `NEVER`; those of the last ``depth`` rounds are asked for.
    passed
        For every round, when the stage behind may be issued, as far as this one is concerned; empty if there is none.
    starts
        For rounds from ``STARTS_FROM`` on, ``start[k]``; empty unless the stage before waits for slots.
    """

    def __init__(self, stage: Stage, last: bool) -> None:
        self.stage = stage
        self.last = last
        self.ended = False
        self.useful_ticks = 0
        self.jobs = 0
        self.pointers = np.zeros(1, dtype=np.int64)
        self.copy = self.ticks = self.gaps = self.need = NONE
        self.finishes = self.passed = self.starts = NONE
        self._rounds: Iterator[Rounds] = iter(stage.rounds())

    def open(
        self,
        state: Integers,
        number: int,
        ledger: Ledger,
        products: Products | None,
        alone: Integers | None,
        copies: Integers,
    ) -> None:
        """Take the next block that has rounds, book what its jobs do, and make room for what will be known of it.

        Blocks in lockstep are over at once, if no other stage stands beside this one, whose parameters are ``alone`` then.
        """
        state[number, NEXT] = 0
        for rounds in self._rounds:
            rounds.check(self.stage.unit.copies)
            if not rounds.rounds:
                continue
            self.useful_ticks += rounds.useful_total
            self.jobs += rounds.jobs
            rounds.book(ledger)
            if products is not None:
                products.count(rounds)
            if (
                alone is not None
                and isinstance(rounds, Lockstep)
                and _in_lockstep(self.stage, rounds, alone, state[number], copies)
            ):
                self.finishes = state[number, LAST_FINISH : LAST_FINISH + 1].copy()
                continue
            block = rounds.block
            refuse_undeclared(self.stage, block)
            self.pointers, self.copy, self.ticks = (_plain(one) for one in (block.round_pointers, block.copy, block.ticks))
            self.gaps = NONE if block.gaps is None else _plain(block.gaps)
            self.need = NONE if block.need is None else _plain(block.need)
            self._make_room(state, number, block.rounds)
            return
        self.ended = True
        self.pointers = np.zeros(1, dtype=np.int64)
        self.copy = self.ticks = self.gaps = self.need = NONE

    def _make_room(self, state: Integers, number: int, rounds: int) -> None:
        issued = int(state[number, ISSUED])
        kept = max(int(state[number, FINISHES_FROM]), issued - self.stage.depth)
        self.finishes = _moved(self.finishes, kept - int(state[number, FINISHES_FROM]), issued - kept, issued - kept + rounds)
        state[number, FINISHES_FROM] = kept
        if not self.last:
            self.passed = _moved(self.passed, 0, issued, issued + rounds)
        if number and self.stage.slots is not None:
            first = int(state[number, STARTS_FROM])
            kept = max(first, min(issued, int(state[number - 1, ISSUED]) - self.stage.slots))
            self.starts = _moved(self.starts, kept - first, issued - kept, issued - kept + rounds)
            state[number, STARTS_FROM] = kept


def _in_lockstep(stage: Stage, rounds: Lockstep, parameters: Integers, state: Integers, copies: Integers) -> bool:
    """Issue rounds of a stage of depth 1 in which the same lanes have a job each, if all ticks surely fit 64 bits."""
    if stage.depth != 1 or not rounds.copies.size:
        return False
    gaps = NONE if rounds.gaps is None else _plain(rounds.gaps)
    return bool(_wait_for_all(parameters, state, copies, rounds.rounds, rounds.copies, _plain(rounds.lane_ticks), gaps))


@compiled
def _wait_for_all(
    parameters: Integers, state: Integers, copies: Integers, rounds: int, lanes: Integers, ticks: Integers, gaps: Integers
) -> bool:
    """Issue rounds one after the other; ``ticks`` is (lanes, rounds), or (lanes, 1) if all rounds are the same.

    A round is issued when all lanes have finished the one before, so they start together: ``start[k,u] = issue[k] + latency``.
    """
    latency, release = parameters[LATENCY], parameters[RELEASE]
    longest = np.zeros(ticks.shape[1], dtype=np.int64)
    for lane in range(lanes.size):
        for one in range(longest.size):
            longest[one] = max(longest[one], ticks[lane, one])
    most = np.int64(0)
    for one in range(longest.size):
        most = max(most, longest[one])
    for one in range(gaps.size):
        most = max(most, gaps[one])
    issue = parameters[FIRST_ISSUE]
    if state[ISSUED]:
        issue = state[LAST_ISSUE] + (gaps[0] if gaps.size else 0)
        if state[LAST_FINISH] != NEVER:
            issue = max(issue, state[LAST_FINISH] + release)
    if issue < 0 or max(most, latency, release) > (LARGEST - issue) // 4 // rounds:
        return False  # they may not fit: the general way looks at each sum
    for one in range(rounds - 1):
        finish = issue + latency + longest[min(one, longest.size - 1)]
        issue = finish + release if gaps.size == 0 else max(finish + release, issue + gaps[one + 1])
    for place in range(lanes.size):
        lane, busy = lanes[place], np.int64(0)
        for one in range(longest.size):
            busy += ticks[place, one]
        if longest.size == 1:
            busy *= rounds
        finish = issue + latency + ticks[place, longest.size - 1]
        copies[lane, WAITED] += finish - max(copies[lane, FREE_AT], 0) - busy
        copies[lane, BUSY] += busy
        copies[lane, FREE_AT] = finish
    state[ISSUED] += rounds
    state[LAST_ISSUE], state[LAST_FINISH] = issue, issue + latency + longest[longest.size - 1]
    state[FINISHES_FROM] = state[ISSUED] - 1
    return True


def _plain(array: Integers) -> Integers:
    if array.dtype == np.int64 and array.flags.carray:
        return array
    return np.require(array, np.int64, ["C", "W"])  # one type for the compiled loops


def _moved(history: Integers, first: int, known: int, wanted: int) -> Integers:
    """Return a history that begins ``first`` entries later, with room for as many as are wanted."""
    if not first and history.size >= wanted:
        return history
    moved = np.empty(max(wanted, 2 * known), dtype=np.int64)  # twice as much, so that growing costs a constant for each round
    moved[:known] = history[first : first + known]
    return moved


def _refuse_waiting(stages: list[_Rounds], state: Integers) -> None:
    """Raise ParameterError if a stage still has rounds although nothing more can happen."""
    for number, one in enumerate(stages):
        if not one.ended and number and stages[number - 1].ended:
            round_ = int(state[number, ISSUED])
            need = int(one.need[state[number, NEXT]]) if one.need.size else round_
            if need >= state[number - 1, ISSUED]:
                raise no_such_round(one.stage, round_, need, int(state[number - 1, ISSUED]))
    if not all(one.ended for one in stages):
        raise nothing_can_happen()


def _outcome(
    plan: Plan, stages: list[_Rounds], state: Integers, copies: Integers, ledger: Ledger, products: Products | None
) -> Outcome:
    jobs = sum(stage.jobs for stage in stages)
    ticks = max(0, *state[:, LAST_ISSUE].tolist(), *state[:, LAST_FINISH].tolist()) + (plan.drain if jobs else 0)
    if ticks > LARGEST:
        raise too_many_ticks()
    busy, stall, idle = np.zeros((3, len(copies)), dtype=np.int64)
    _account(copies, ticks, busy, stall, idle)
    return Outcome(
        ticks=ticks,
        busy_ticks=busy,
        stall_ticks=stall,
        idle_ticks=idle,
        useful_ticks=sum(stage.useful_ticks for stage in stages),
        jobs=jobs,
        ledger=ledger,
        units=tuple(stage.unit for stage in plan.stages),
        products=products,
    )


@compiled
def _account(copies: Integers, ticks: int, busy: Integers, stall: Integers, idle: Integers) -> None:
    """Say where the time of each copy went: one that has worked waited for more, one that has not was idle."""
    for one in range(copies.shape[0]):
        busy[one] = copies[one, BUSY]
        waited = copies[one, WAITED] + ticks - max(copies[one, FREE_AT], 0)
        if copies[one, FREE_AT] == NEVER:
            idle[one] = waited
        else:
            stall[one] = waited


@compiled
def _advance(
    parameters: Integers,
    state: Integers,
    copies: Integers,
    first_copies: Integers,
    ended: tuple[bool, ...],
    pointers: tuple[Integers, ...],
    copy: tuple[Integers, ...],
    ticks: tuple[Integers, ...],
    gaps: tuple[Integers, ...],
    need: tuple[Integers, ...],
    finishes: tuple[Integers, ...],
    passed: tuple[Integers, ...],
    starts: tuple[Integers, ...],
) -> int:
    """Issue rounds of all stages in turn; return the stage that has used its block up, `STUCK` or `OVERFLOWED`."""
    stages = parameters.shape[0]
    moved = True
    while moved:
        moved = False
        for stage in range(stages):
            if ended[stage]:
                continue
            before, after = max(0, stage - 1), min(stages - 1, stage + 1)
            issued = state[stage, ISSUED]
            held = after > stage and parameters[after, SLOTS] != UNBOUNDED
            fits = _issue(
                parameters[stage],
                state[stage],
                copies[first_copies[stage] : first_copies[stage + 1]],
                pointers[stage],
                copy[stage],
                ticks[stage],
                gaps[stage],
                need[stage],
                finishes[stage],
                passed[stage],
                starts[stage],
                passed[before],
                int(state[before, ISSUED]) if stage else -1,
                starts[after],
                state[after, STARTS_FROM],
                int(state[after, ISSUED] + parameters[after, SLOTS]) if held else -1,
                parameters[after, SLOTS],
                parameters[after, HOP],
            )
            if not fits:
                return OVERFLOWED
            if state[stage, NEXT] == pointers[stage].size - 1:
                return stage
            moved |= state[stage, ISSUED] > issued
    return STUCK


@compiled
def _issue(
    parameters: Integers,
    state: Integers,
    copies: Integers,
    pointers: Integers,
    copy: Integers,
    ticks: Integers,
    gaps: Integers,
    need: Integers,
    finishes: Integers,
    passed: Integers,
    starts: Integers,
    passed_before: Integers,
    issued_before: int,
    starts_after: Integers,
    starts_after_from: int,
    issued_limit: int,
    slots_after: int,
    hop_after: int,
) -> bool:
    """Issue as many rounds of a stage as can be; return whether all of their ticks fit 64 bits.

    ``issued_before`` is how many rounds of the stage before are known, ``issued_limit`` up to which round the slots of the
    stage after let this one go; -1 if there is no such stage, or no such limit.
    """
    depth, latency, release = parameters[DEPTH], parameters[LATENCY], parameters[RELEASE]
    issued, issue, last_finish = state[ISSUED], state[LAST_ISSUE], state[LAST_FINISH]
    next_round, fits = state[NEXT], True
    while next_round < pointers.size - 1:
        needed = need[next_round] if need.size else issued
        if (issued_before >= 0 and needed >= issued_before) or (issued_limit >= 0 and issued >= issued_limit):
            break
        tick = issue if issued else parameters[FIRST_ISSUE]
        if gaps.size and issued:
            fits &= gaps[next_round] <= LARGEST - tick  # asked before: the compiler takes it that no sum wraps
            tick += gaps[next_round]
        freed = issued - depth
        if freed >= 0:
            finish = finishes[freed - state[FINISHES_FROM]]
            if finish != NEVER:
                tick = max(tick, finish + release)
                fits &= release <= LARGEST - finish
        if issued_before >= 0 and needed >= 0:
            tick = max(tick, passed_before[needed])
        if issued_limit >= 0 and issued >= slots_after:
            tick = max(tick, starts_after[issued - slots_after - starts_after_from])
        fits &= latency <= LARGEST - tick
        arrival = tick + latency
        issue = last_start = tick
        for job in range(pointers[next_round], pointers[next_round + 1]):
            one = copy[job]
            if one < 0:
                one = _earliest(copies)
            free_at = max(copies[one, FREE_AT], 0)
            start = max(arrival, free_at)
            finish = start + ticks[job]
            fits &= ticks[job] <= LARGEST - start
            copies[one, WAITED] += start - free_at
            copies[one, BUSY] += ticks[job]
            copies[one, FREE_AT] = finish
            last_start, last_finish = max(last_start, start), max(last_finish, finish)
        finishes[issued - state[FINISHES_FROM]] = last_finish
        if passed.size:
            passed[issued] = issue if last_finish == NEVER else max(issue, last_finish + hop_after)
            fits &= last_finish == NEVER or hop_after <= LARGEST - last_finish
        if starts.size:
            starts[issued - state[STARTS_FROM]] = last_start
        issued += 1
        next_round += 1
    state[ISSUED], state[LAST_ISSUE], state[LAST_FINISH], state[NEXT] = issued, issue, last_finish, next_round
    return fits


@compiled
def _earliest(copies: Integers) -> int:
    """Return the copy that is free first, one that has not worked before every other, the lowest index on a tie."""
    found = 0
    for one in range(1, copies.shape[0]):
        if copies[one, FREE_AT] < copies[found, FREE_AT]:
            found = one
    return found
