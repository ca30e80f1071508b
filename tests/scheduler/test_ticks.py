import scheduler
from scheduler.ticks import TickEnvironment


def test_time_stays_an_integer(stage, plan_of):
    env = TickEnvironment()
    env.process(scheduler.play_process(env, plan_of(stage([[(0, 3)], [(0, 0)]], latency=1, gaps=[0, 9]), drain=2), None))
    ticks = []
    while env.peek() != float("inf"):
        env.step()
        ticks.append(env.now)
    assert {type(tick) for tick in ticks} == {int}
    assert ticks == sorted(ticks)
    assert ticks[-1] == 12
