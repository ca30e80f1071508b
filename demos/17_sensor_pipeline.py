"""Sensor and chip: a sensor does the first layers of a network and sends what is not zero over a link to a chip.

What to see: sensor, link and chip are processes that work on three frames at once. What the link carries decides how fast that
is: pixels if the chip does all, events if the sensor does the first layers, and fewer of them if training penalised them.
The sensor has one processing element of Eyeriss v2. The chip is a tile of Cnvlutin, gated between frames, where it keeps its
weights: 10 us to wake, 5% of static power leaks. The link is an SPI bus at 20 MHz, 50 pJ a bit (these are assumptions). A value
goes with half a byte for its place, or all go without, what is shorter; pixels have 8 bits, features are rounded to 16. The
digits are scikit-learn's; the penalty is chosen on others than those reported on.
"""

from collections.abc import Generator

import simpy
import torch
from networks.split import Split, trained
from showing import picture, statistics, table

import eventnet
import hwmodel
from scheduler import PowerGating

PENALTIES, BITS_PER_SECOND, BIT_PJ, AT_ONCE = (0.0, 0.1, 0.3, 1.0), 20e6, 50.0, 3
SENSOR, MACHINE = hwmodel.load("eyeriss_v2_pe"), hwmodel.load("cnvlutin", units=1, vector_lanes=16)
GATING = PowerGating(after=0.0, wake=10e-6, leakage=0.05)


class System:
    def __init__(self, network: Split, split: bool, samples: list, at_once: int) -> None:
        self.network, self.split, self.env = network, split, simpy.Environment()
        self.sensor, self.chip = eventnet.Chip(self.env, SENSOR), eventnet.Chip(self.env, MACHINE, power_gating=GATING)
        self.seen, self.sent, self.free = simpy.Store(self.env), simpy.Store(self.env), simpy.Container(self.env, init=at_once)
        self.bytes, self.milliseconds, self.right, self.runs = [], [], [], ([], [])
        for process in (self.sense(samples), self.link(), self.answer()):
            self.env.process(process)
        self.env.run()
        assert self.chip.counts["done"] == len(self.right) == len(samples), "every frame came through"

    def sense(self, samples: list) -> Generator:
        for image, label in samples:
            yield self.free.get(1)
            taken, values = self.env.now, (255 * image).round() / 255
            if self.split:
                result = yield self.sensor.submit(self.network.front, values)
                self.runs[0].append(result.run)
                values = result.outputs.half()
            self.seen.put((taken, values, label))

    def link(self) -> Generator:
        while True:
            taken, values, label = yield self.seen.get()
            size, count = (2 if self.split else 1), int(values.count_nonzero())
            self.bytes.append(min(size * values.numel(), (size + 0.5) * count))
            yield self.env.timeout(8 * self.bytes[-1] / BITS_PER_SECOND)
            self.sent.put((taken, values.float(), label))

    def answer(self) -> Generator:
        while True:
            taken, values, label = yield self.sent.get()
            result = yield self.chip.submit(self.network.back if self.split else self.network, values)
            self.runs[1].append(result.run)
            self.milliseconds.append(1e3 * (self.env.now - taken))
            self.right.append(int(result.outputs.argmax()) == label)
            self.free.put(1)

    def microjoules(self) -> tuple[float, ...]:  # of sensor, link and chip, for a frame
        sensor, chip = (chip.energy_pj(0, self.env.now) for chip in (self.sensor, self.chip))
        return tuple(part / 1e6 / len(self.right) for part in (sensor, 8 * sum(self.bytes) * BIT_PJ, chip))


def main() -> None:
    torch.set_grad_enabled(False)
    networks, chosen, samples = trained(*PENALTIES)
    plans = {"all on the chip": (networks[0.0], False), **{f"split, penalty {one}": (networks[one], True) for one in PENALTIES}}
    systems = {name: (System(*plan, samples[::3], 1), System(*plan, samples, AT_ONCE)) for name, plan in plans.items()}
    rows, rates, count = [], {}, len(samples)
    for name, (alone, system) in systems.items():
        assert all(run.agreement for runs in alone.runs + system.runs for run in runs)
        energy, rates[name] = system.microjoules(), (sum(system.bytes) / count, count / system.env.now)
        cells = (f"{rates[name][0]:.0f}", f"{sum(alone.milliseconds) / len(alone.right):.3f}", f"{rates[name][1]:,.0f}")
        rows.append((name, *cells, *(f"{one:.2f}" for one in (*energy, sum(energy))), f"{sum(system.right) / count:.1%}"))
    print(f"{count} digits not trained on; frames a second and the energy of a frame are those of {AT_ONCE} at once:\n")
    table(("", "bytes", "ms alone", "frames/s", "sensor uJ", "link uJ", "chip uJ", "all uJ", "accuracy"), rows)
    for runs in systems[best := f"split, penalty {chosen}"][1].runs:  # of the sensor, and of the chip
        statistics(runs)
    (before, slow), (after, fast) = rates["all on the chip"], rates[best]
    said = f"{before / after:.1f} times fewer bytes, {fast / slow:.1f} times as many frames a second"
    with picture("17_sensor_pipeline.png", f"Sensor and chip: {said}") as axis:
        for name, (sent, rate) in rates.items():
            axis.plot(sent, rate, "o", color="C0" if plans[name][1] else "grey")
            axis.annotate(name, (sent, rate), xytext=(8, 2), textcoords="offset points", fontsize=8)
        axis.set(
            xlabel="bytes of a frame over the link, mean", ylabel="frames a second", xlim=(0, 1.3 * before), ylim=(0, None)
        )
    right = " instead of ".join(f"{sum(systems[name][1].right) / count:.1%}" for name in (best, "all on the chip"))
    print(f"Conclusion: with the first layers in the sensor and penalty {chosen}, {said}; {right} are right.")


if __name__ == "__main__":
    main()
