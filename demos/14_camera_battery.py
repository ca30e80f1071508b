"""Camera and battery: eighteen cameras of a robot, thirty frames a second each, and one chip that tells the ground.

What to see: frames come whether the chip has time or not, and one that finds the queue full is dropped. Training with a penalty
on activations leaves fewer events, so a frame takes less time and less energy: more frames are answered, and the battery lasts
longer. Frames are mosaics of photographs of bricks, grass and gravel (scikit-image's). The battery is a lithium-ion cell of
3.4 Ah at 3.6 V, 44 kJ, that feeds the chip alone; 1/10,000 of it is simulated, so that a second stands for 10,000. A frame is
computed once, and served from its own profile whenever it comes again. The penalty is chosen on frames not reported on.
"""

from collections.abc import Generator
from math import isclose

import simpy
import torch
from networks.ground import TEST, VALIDATION, mosaics, trained
from showing import picture, statistics, table

import eventnet
import hwmodel

CAMERAS, RATE, FRAMES, QUEUE = 18, 30, 4, 1
SCALE, PENALTIES = 10_000, (0.0, 0.5, 1.0)
BATTERY_PJ = 3.4 * 3600 * 3.6 * 1e12 / SCALE
TILE = {"units": 1, "vector_lanes": 16}  # one tile: a small network
MACHINE, DENSE = hwmodel.load("cnvlutin", **TILE), hwmodel.load("dadiannao", **TILE)


def battery(chip: eventnet.Chip) -> Generator:
    """Last until the chip has drawn all that there is, and return when that is."""
    while (last := chip.when_used(BATTERY_PJ)) > chip.env.now:
        yield chip.env.timeout(last - chip.env.now) | chip.changed
    return last


def camera(chip: eventnet.Chip, number: int, frames: list, life: simpy.Process, taken: list) -> Generator:
    """Give the chip 30 frames a second while the battery lasts; the cameras take turns."""
    yield chip.env.timeout(number / CAMERAS / RATE)
    while life.is_alive:
        profile, accuracy = frames[len(taken) % FRAMES]
        taken.append((chip.submit(profile), accuracy))
        yield chip.env.timeout(1 / RATE)


def main() -> None:
    torch.set_grad_enabled(False)
    networks = trained(*PENALTIES)
    validation, test = (mosaics(FRAMES, rows, size=320, block=64) for rows in (VALIDATION, TEST))
    least = networks[0.0].accuracy(*validation) - 1
    chosen = max(penalty for penalty, network in networks.items() if network.accuracy(*validation) >= least)

    env, judged, served = simpy.Environment(), [], []
    for penalty, machine in ((0.0, DENSE), *((penalty, MACHINE) for penalty in PENALTIES)):
        network, chip, frames, taken = networks[penalty], eventnet.Chip(env, machine, queue_limit=QUEUE), [], []
        for frame, ground in zip(*(one[:, None] for one in test), strict=True):
            values = "events" if machine is MACHINE else "reference"  # PyTorch multiplies for the other, and it is timed
            judged.append(eventnet.simulate(network, frame, machine=machine, values=values, progress=False))
            frames.append((chip.profile(network, [frame], values="reference"), network.accuracy(frame, ground)))
        life = env.process(battery(chip))
        for number in range(CAMERAS):
            env.process(camera(chip, number, frames, life, taken))
        served.append((machine, penalty, judged[-FRAMES:], chip, life, taken))
    env.run(env.all_of([life for *_, life, _ in served]))

    print(f"{CAMERAS} cameras, {RATE} frames a second each, one tile, and at most {QUEUE} frame that waits:\n")
    rows, zeros, hours, right = [], {}, {}, {}
    for machine, penalty, runs, chip, life, taken in served:
        chip.check()
        assert isclose(chip.energy_pj(0, life.value), BATTERY_PJ, rel_tol=1e-9), "the chip took what the battery held"
        over = [(request.value.done, accuracy) for request, accuracy in taken if request.triggered]
        done = [accuracy for answered, accuracy in over if answered]
        at = machine.name, penalty
        zeros[at] = 100 * sum(run.zero_fraction for run in runs) / FRAMES
        hours[at], right[at] = life.value * SCALE / 3600, sum(done) / len(over)
        cells = (zeros[at], 100 - 100 * len(done) / len(over), sum(done) / len(done), right[at])
        millijoules = sum(run.chip_pj for run in runs) / FRAMES / 1e9
        rows.append((", ".join(map(str, at)), *(f"{cell:.1f}%" for cell in cells), f"{millijoules:.2f}", f"{hours[at]:.1f}"))
    table(("chip, penalty", "zeros", "dropped", "accuracy", "right of all", "mJ a frame", "battery, hours"), rows)
    statistics([run for run in judged if run.machine is MACHINE])

    dense, best = (DENSE.name, 0.0), (MACHINE.name, chosen)
    said = f"{right[best]:.0f}% of all that the cameras saw is told right instead of {right[dense]:.0f}%"
    panels = ((hours, "battery life (hours)"), (right, "cells told right, of all that the cameras saw (%)"))
    with picture("14_camera_battery.png", f"Camera and battery: {said}", panels=2) as axes:
        for axis, (of, label) in zip(axes, panels, strict=True):
            axis.plot(zeros[dense], of[dense], "s", color="grey", label="DaDianNao, dense")
            axis.plot(*zip(*((zeros[at], of[at]) for at in of if at != dense), strict=True), "o-", label="Cnvlutin")
            axis.set(xlabel="multiplications with an activation of zero (%)", ylabel=label, ylim=(0, None))
            axis.legend(loc="lower right")
    print(f"Conclusion: with penalty {chosen} {said}, on a battery that lasts {hours[best] / hours[dense]:.2f} times as long.")


if __name__ == "__main__":
    main()
