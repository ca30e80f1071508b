"""Fleet: 10,000 devices that read handwritten digits for a day, more of them in the evening than in the morning.

What to see: a device is used every few hours or every few minutes, and its chip is switched off after half an hour without
work. So time and energy of a request are not those of the network, microseconds and microjoules: they depend on whether it
finds the chip awake, and hence on the hour. Energy is all that a device took since the request before. Requests are a Poisson
process whose rate follows the day, thinned from one of the highest rate; people use their devices more or less (exponential
weights); that is generated. Half of the devices are newer: a tile of Cnvlutin instead of DaDianNao, and weights that come from
flash four times as fast at a wake-up. Everything is served from two profiles, measured once on real digits (scikit-learn's).
All devices were last used at midnight.
"""

from collections.abc import Generator
from math import isclose, pi, sin

import numpy as np
import simpy
import torch
from networks.reader import trained
from showing import picture, statistics, table

import eventnet
import hwmodel
from scheduler import PowerGating

DEVICES, DAY, REQUESTS, SWING = 10_000, 86_400.0, 150_000, 0.85  # of a mean day; the rate swings by 85 %
TILE = {"units": 1, "vector_lanes": 16}  # one tile: a small network
KINDS = {"newer": (hwmodel.load("cnvlutin", **TILE), 2e6), "older": (hwmodel.load("dadiannao", **TILE), 0.5e6)}
IDLE, FLASH_W, LEAKAGE = 1800.0, 0.02, 0.02  # when chips are gated; flash and leakage as in the demo before
HIGHEST = REQUESTS / DAY * (1 + SWING)  # requests a second, at 20 h; the fewest come at 8 h


def people(chips: list[eventnet.Chip], profiles: dict, asked: list) -> Generator:
    """Ask some device at random times, the more often used ones more often."""
    env, draw = chips[0].env, np.random.default_rng(0)
    use = draw.exponential(size=DEVICES)
    devices = iter(draw.choice(DEVICES, size=round(2 * HIGHEST * DAY), p=use / use.sum()).tolist())
    while True:
        yield env.timeout(draw.exponential(1 / HIGHEST))
        if draw.random() * (1 + SWING) < 1 + SWING * sin(2 * pi * (env.now / DAY - 14 / 24)):
            chip = chips[next(devices)]
            asked.append(chip.submit(profiles[chip.machine.name]))


def main() -> None:
    torch.set_grad_enabled(False)
    network, samples = trained()
    env, chips, profiles, asked = simpy.Environment(), [], {}, []
    for kind, (machine, flash) in KINDS.items():
        runs = [eventnet.simulate(network, image, machine=machine, progress=False) for image, _ in samples]
        right = sum(int(run.outputs.argmax()) == label for run, (_, label) in zip(runs, samples, strict=True)) / len(runs)
        print(f"The {kind} devices, {machine.name}, read {right:.0%} of the digits not trained on right.")
        statistics(runs)
        wake = network.weight_bytes / flash
        gating = PowerGating(IDLE, wake, 1e12 * wake * FLASH_W, leakage=LEAKAGE)
        chips += [eventnet.Chip(env, machine, power_gating=gating) for _ in range(DEVICES // len(KINDS))]
        profiles[machine.name] = chips[-1].profile(network, [image for image, _ in samples], values="reference")
    env.process(people(chips, profiles, asked))
    env.run(DAY)

    last, rows = dict.fromkeys(chips, 0.0), []
    for request in (request for request in asked if request.processed):
        chip, result = request.chip, request.value
        joules, last[chip] = chip.energy_pj(last[chip], result.finished) / 1e12, result.finished
        awake, took = result.started - result.submitted < 1e-6, 1e3 * (result.finished - result.submitted)
        rows.append((result.submitted / 3600, chip.machine is KINDS["newer"][0], awake, took, joules))
    hours, newer, awake, milliseconds, joules = (np.array(column) for column in zip(*rows, strict=True))
    whole, after = (sum(chip.energy_pj(since[chip], DAY) for chip in chips) / 1e12 for since in (dict.fromkeys(chips, 0), last))
    assert isclose(joules.sum() + after, whole, rel_tol=1e-9), "what the requests took is what the fleet took"

    spans, percents, cells = {f"{hour} to {hour + 4} h": hours // 4 == hour // 4 for hour in range(0, 24, 4)}, (50, 95, 99), []
    for name, group in (spans | {"newer devices": newer, "older devices": ~newer, "all day": hours >= 0}).items():
        ms, spent = np.percentile(milliseconds[group], percents), np.percentile(joules[group], percents)
        cells.append(
            (name, group.sum(), f"{awake[group].mean():.1%}", *(f"{one:.3f}" for one in ms), *(f"{one:.0f}" for one in spent))
        )
    print(f"{DEVICES:,} devices for a day, served from profiles; percentiles of latency and of energy:\n")
    table(("requests", "number", "awake", *(f"{one}% ms" for one in percents), *(f"{one}% J" for one in percents)), cells)
    morning, evening = (np.median(joules[hours // 4 == span]) for span in (1, 5))
    said = f"the median request takes {evening:.0f} J in the evening and {morning:.0f} J in the early morning"
    with picture("16_fleet.png", f"Fleet: {said}", panels=2) as axes:
        for percent in percents:
            axes[0].plot(
                range(24), [np.percentile(joules[hours // 1 == hour], percent) for hour in range(24)], label=f"{percent}%"
            )
        for label, group in (("newer", newer), ("older", ~newer)):
            axes[1].ecdf(milliseconds[group], label=label)
        axes[0].set(xlabel="hour of the day", ylabel="energy since the request before (J)", ylim=(0, None))
        axes[1].set(xlabel="latency (ms)", ylabel="share of the requests", xscale="log")
        for axis in axes:
            axis.legend()
    print(f"Conclusion: {said}, of which the network takes {runs[0].chip_pj / 1e6:.1f} uJ: a fleet is what its idle chips are.")


if __name__ == "__main__":
    main()
