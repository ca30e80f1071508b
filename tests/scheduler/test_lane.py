from scheduler.lane import Bell, Lane
from scheduler.ticks import TickEnvironment


class NotedRound:
    """Stand in for a round and note what its jobs do, and when."""

    def __init__(self, env, log, to_start=0):
        self.env = env
        self.log = log
        self.to_start = to_start

    def job_started(self):
        self.log.append((self.env.now, "started"))

    def finish(self, job):
        self.log.append((self.env.now, job))


def new_lane(freed=None):
    env = TickEnvironment()
    lane = Lane(env, 0, Bell(env), freed)
    return env, lane, env.process(lane.lane_process())


def give(env, lane, tick, *jobs):
    """Put jobs into a lane's inbox at a tick, and ring."""

    def giving_process():
        yield env.timeout(tick)
        lane.inbox.extend(jobs)
        lane.bell.ring()

    env.process(giving_process())


def close(env, lane, tick):
    def closing_process():
        yield env.timeout(tick)
        lane.closed = True
        lane.bell.ring()

    env.process(closing_process())


def test_jobs_are_served_in_the_order_of_the_inbox():
    log = []
    env, lane, _ = new_lane()
    round_ = NotedRound(env, log)
    give(env, lane, 2, (7, 3, round_), (8, 0, round_))
    give(env, lane, 4, (9, 5, round_))
    env.run()
    assert log == [(5, 7), (5, 8), (10, 9)]
    assert (lane.busy_ticks, lane.jobs) == (8, 3)


def test_a_start_is_told_only_if_somebody_waits_for_it():
    log = []
    env, lane, _ = new_lane()
    give(env, lane, 2, (7, 3, NotedRound(env, log, to_start=1)), (8, 1, NotedRound(env, log)))
    env.run()
    assert log == [(2, "started"), (5, 7), (6, 8)]


def test_waiting_is_stalling_for_a_lane_that_had_work():
    env, lane, process = new_lane()
    give(env, lane, 2, (0, 3, NotedRound(env, [])))
    give(env, lane, 9, (1, 1, NotedRound(env, [])))
    close(env, lane, 20)
    env.run()
    assert process.processed
    assert (lane.busy_ticks, lane.stall_ticks, lane.idle_ticks) == (4, 16, 0)


def test_waiting_is_idling_for_a_lane_that_had_none():
    env, lane, process = new_lane()
    close(env, lane, 20)
    env.run()
    assert process.processed
    assert (lane.busy_ticks, lane.stall_ticks, lane.idle_ticks) == (0, 0, 20)


def test_a_job_of_no_ticks_is_work():
    env, lane, _ = new_lane()
    give(env, lane, 2, (0, 0, NotedRound(env, [])))
    close(env, lane, 5)
    env.run()
    assert (lane.busy_ticks, lane.stall_ticks, lane.idle_ticks) == (0, 5, 0)


def test_a_closed_lane_serves_what_is_in_its_inbox():
    log = []
    env, lane, process = new_lane()
    give(env, lane, 3, (0, 2, NotedRound(env, log)), (1, 2, NotedRound(env, log)))
    close(env, lane, 4)
    env.run()
    assert process.processed
    assert log == [(5, 0), (7, 1)]


def test_a_lane_tells_when_it_is_free():
    freed = []
    env, lane, _ = new_lane(lambda lane: freed.append((lane.env.now, lane.index)))
    give(env, lane, 2, (0, 3, NotedRound(env, [])), (1, 1, NotedRound(env, [])))
    env.run()
    assert freed == [(5, 0), (6, 0)]


def test_one_ring_wakes_everyone_in_the_order_in_which_they_fell_asleep():
    env = TickEnvironment()
    bell, log = Bell(env), []
    for index in range(3):
        lane = Lane(env, index, bell, None)
        lane.inbox.extend([(index, 1, NotedRound(env, log))] if index == 1 else [])
        env.process(lane.lane_process())
        give(env, lane, 4, (10 + index, 2, NotedRound(env, log)))
    env.run()
    assert log == [(1, 1), (6, 10), (6, 12), (6, 11)]


def test_ringing_for_nobody_leaves_no_event():
    env = TickEnvironment()
    bell = Bell(env)
    event = bell.event
    bell.ring()
    assert bell.event is event
    assert env.peek() == float("inf")
