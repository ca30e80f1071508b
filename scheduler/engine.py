"""The event engine: a plan played on SimPy, job by job. This is the ground truth for time.

Units are processes (`scheduler.lane`), a dispatcher issues rounds when the law of time lets it (`scheduler.dispatch`),
and every job that a unit serves adds its own products to the output.

    play                      one task, in an environment of its own
      play_process            the same inside any SimPy environment whose time is in ticks
        StageRun.begin        a process for each lane, the first round
          Dispatcher.offer    a round waits in the ready queue until its tick
          StageRun.issue      its jobs go into the lanes' inboxes, one ring of the bell wakes the sleepers
          Lane.lane_process   one SimPy event a job; the last job of a round lets the dispatcher go on
        StageRun.close        the lanes book their last wait
"""

from collections.abc import Callable, Generator
from itertools import accumulate, pairwise
from typing import cast

import numpy as np
from simpy.events import Event, Timeout

from hwmodel.ledger import Ledger
from hwmodel.plan import Block, Plan
from hwmodel.products import Products
from scheduler.dispatch import Adder, Dispatcher, StageRun
from scheduler.outcome import Outcome
from scheduler.ticks import TickEnvironment
from scheduler.trace import Trace
from scheduler.waiting import nothing_can_happen, too_many_ticks


def play(plan: Plan, products: Products | None = None, trace: Trace | None = None) -> Outcome:
    """Play a plan from tick 0 in an environment of its own.

    Parameters
    ----------
    plan
        What there is to do.
    products
        Where the jobs add their products; None to multiply nothing.
    trace
        What is told of every job if it asks for them.

    Raises
    ------
    ParameterError
        If the plan contradicts itself (a copy that does not exist, a round that never comes).

    Cost: about two bare SimPy timeouts a job.
    """
    env = TickEnvironment()
    process = env.process(play_process(env, plan, products, trace))
    env.run()
    if not process.triggered:
        raise nothing_can_happen()
    return cast("Outcome", process.value)


def play_process(
    env: TickEnvironment,
    plan: Plan,
    products: Products | None,
    trace: Trace | None = None,
    stage_of: Callable[..., StageRun] | None = None,
) -> Generator[Event, None, Outcome]:
    """Play a plan in an environment whose time is counted in ticks; the process's value is the outcome.

    Plans that are played at the same time have a trace each. ``stage_of`` makes each stage, for those whose units can fail.
    """
    started = env.now
    ledger = Ledger()
    dispatcher = Dispatcher(env)
    all_ended = Event(env)

    def adder_of(block: Block) -> Adder | None:
        return None if products is None else products.adder_of(block)

    stage_of = stage_of or StageRun
    stages = [stage_of(env, number, stage, dispatcher, adder_of, ledger) for number, stage in enumerate(plan.stages)]

    def one_ended() -> None:
        if all(stage.ended for stage in stages):
            all_ended.succeed()

    for before, after in pairwise(stages):
        before.downstream, after.upstream = after, before
    if trace is not None and trace.jobs:
        first_copies = accumulate((stage.unit.copies for stage in plan.stages), initial=0)
        for stage, first_copy in zip(stages, first_copies, strict=False):
            stage.trace(trace.log(first_copy, started))
    for stage in stages:
        stage.on_end = one_ended
    for stage in stages:
        stage.begin()
    for stage in stages:
        stage.prepare()
    yield all_ended
    if any(stage.jobs for stage in stages):
        yield Timeout(env, plan.drain)
    for stage in stages:
        stage.close()
    ticks = env.now - started
    yield Timeout(env, 0)  # the lanes wake and book their last wait
    lanes = [lane for stage in stages for lane in stage.lanes]
    if ticks > np.iinfo(np.int64).max:
        raise too_many_ticks()
    return Outcome(
        ticks=ticks,
        busy_ticks=np.array([lane.busy_ticks for lane in lanes], dtype=np.int64),
        stall_ticks=np.array([lane.stall_ticks for lane in lanes], dtype=np.int64),
        idle_ticks=np.array([lane.idle_ticks for lane in lanes], dtype=np.int64),
        useful_ticks=sum(stage.useful_ticks for stage in stages),
        jobs=sum(stage.jobs for stage in stages),
        ledger=ledger,
        units=tuple(stage.stage.unit for stage in stages),
        products=products,
    )
