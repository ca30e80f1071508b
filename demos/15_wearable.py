"""Wearable: a watch that reads handwritten digits every few seconds, and whose chip is switched off in between.

What to see: two millionths of a second of work, and leakage all the time. Without power gating that empties the battery in an
afternoon. Gated at once, the chip lasts, but every look waits until it is awake. Gated after as long an idle time as a wake-up
is worth, looks in a row find it awake. The battery is that of a watch, 300 mAh at 3.85 V, 4.2 kJ, which feeds the chip alone.
Gating loses the weights: to wake, the chip reads them from a serial flash at 0.5 MB/s, which takes 20 mW (SPI at 4 MHz and
11 mA of 1.8 V), and 2% of its static power leaks meanwhile: assumptions, not measured. Looks are served from a profile.
"""

from collections.abc import Generator, Iterable
from itertools import pairwise, repeat
from math import isclose

import numpy as np
import simpy
import torch
from networks.reader import trained
from showing import picture, statistics, table

import eventnet
import hwmodel
from scheduler import PowerGating, Profile

HOUR, EVERY, LOOKS, PERIOD = 3600.0, 5.0, 8, 0.025  # eight looks, 25 ms apart, every 5 s in the mean
BATTERY_J, FLASH_BYTES_PER_SECOND, FLASH_W, LEAKAGE = 0.3 * 3600 * 3.85, 0.5e6, 0.02, 0.02
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16)  # one tile: a small network
INTERVALS = (0.01, 0.02, 0.04, 0.044, 0.07, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # for the picture


def gaps_of_the_wearer() -> Iterable[float]:
    random = np.random.default_rng(0)
    while True:
        yield random.exponential(EVERY)
        yield from repeat(PERIOD, LOOKS - 1)


def looks(chips: list[eventnet.Chip], profile: Profile, gaps: Iterable[float], taken: list[list]) -> Generator:
    """Let each chip look once after every gap."""
    for gap in gaps:
        yield chips[0].env.timeout(gap)
        for chip, of_chip in zip(chips, taken, strict=True):
            of_chip.append(chip.submit(profile))


def lived(gatings: list, profile: Profile, gaps: Iterable[float], since: float, until: float) -> list[tuple]:
    """Let a chip with each gating live through the same looks; return it, its watts in a span of time, and its results."""
    env, lives, taken = simpy.Environment(), [], [[] for _ in gatings]
    chips = [eventnet.Chip(env, MACHINE, power_gating=gating) for gating in gatings]
    env.process(looks(chips, profile, gaps, taken))
    env.run(until)
    for chip, of_chip in zip(chips, taken, strict=True):
        drained = sum(chip.energy_pj(*span) for span in pairwise(np.linspace(since, until, 61).tolist()))
        assert isclose(drained, chip.energy_pj(since, until), rel_tol=1e-9), "the battery lost what the chip took"
        lives.append((chip, drained / 1e12 / (until - since), [request.value for request in of_chip if request.processed]))
    return lives


def main() -> None:
    torch.set_grad_enabled(False)
    network, samples = trained()
    runs = [eventnet.simulate(network, image, machine=MACHINE, progress=False) for image, _ in samples]
    right = sum(int(run.outputs.argmax()) == label for run, (_, label) in zip(runs, samples, strict=True)) / len(samples)
    alone = eventnet.Chip(simpy.Environment(), MACHINE)
    profile, static_w = alone.profile(network, [image for image, _ in samples], values="reference"), alone.power(0)

    wake = network.weight_bytes / FLASH_BYTES_PER_SECOND
    worth = wake + wake * FLASH_W / (static_w * (1 - LEAKAGE))  # the idle time in which the energy of a wake-up leaks
    after = {"never": None, "at once": 0.0, (patient := f"after {1e3 * worth:.1f} ms"): worth, "after 1 s": 1.0}
    price = 1e12 * wake * FLASH_W
    gatings = [None if idle is None else PowerGating(idle, wake, price, leakage=LEAKAGE) for idle in after.values()]
    print(f"{right:.0%} of {len(samples)} digits not trained on are read right.")
    print(f"{1e3 * static_w:.0f} mW static, {1e3 * wake:.1f} ms to wake; an hour of {LOOKS} looks every {EVERY:.0f} s:\n")
    rows, watts, medians = [], {}, {}
    for name, (chip, power, results) in zip(after, lived(gatings, profile, gaps_of_the_wearer(), 0.0, HOUR), strict=True):
        watts[name], latencies = power, [1e3 * (result.finished - result.submitted) for result in results]
        medians[name], late = np.percentile(latencies, (50, 95))
        cells = (len(results), round(chip.wake_ticks / MACHINE.clock_hz / wake), f"{1e3 * watts[name]:.1f}")
        rows.append((name, *cells, f"{medians[name]:.3f}", f"{late:.3f}", f"{BATTERY_J / watts[name] / 3600:.1f}"))
    table(("gated", "looks", "wake-ups", "mW", "median ms", "95% ms", "battery, hours"), rows)
    statistics(runs)

    lines = [[life[1] for life in lived(gatings[:3], profile, repeat(one), one, 50 * one)] for one in INTERVALS]
    gains = [(never - once) * interval for (never, once, _), interval in zip(lines, INTERVALS, strict=True)]  # joules a look
    measured = np.interp(0, gains[2:], INTERVALS[2:])  # the first two are shorter than a wake-up
    print(f"Never gated and gated at once take the same with a look every {1e3 * measured:.1f} ms, measured,")
    print(f"and {1e3 * worth:.1f} ms, computed from static power and from what a wake-up takes.\n")
    said = f"gated {patient}, the median look takes {1e3 * medians[patient]:.0f} us instead of {medians['at once']:.0f} ms"
    with picture("15_wearable.png", f"Wearable: {said}") as axis:
        for name, line, style in zip(after, zip(*lines, strict=True), ("--", ":", "-"), strict=False):
            axis.loglog(INTERVALS, [1e3 * one for one in line], style, label=f"gated {name}")
        axis.axvline(worth, color="grey", linewidth=0.8, label="break-even")
        axis.set(xlabel="one look every so many seconds", ylabel="power of the chip, mean (mW)")
        axis.legend()
    cost, most = watts[patient] / watts["at once"] - 1, max(wait / min(others) for *others, wait in lines)
    print(f"Conclusion: {said}, for {cost:.0%} more power, and never for more than {most:.2f} times the least.")


if __name__ == "__main__":
    main()
