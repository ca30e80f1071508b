"""Big and little: a little network reads every digit, and wakes a large one where it is not sure (scikit-learn's digits).

What to see: the little network, two layers on four elements of EIE, is always on and takes milliwatts. The large one, on a tile
of Cnvlutin, is gated; to wake it takes 10 ms, in which it reads its weights from flash, and that costs more than all that it
computes. So what counts is how often it is woken. The threshold of confidence is chosen on digits that are neither trained on
nor reported on: the lowest at which both lose at most half a point there against the large one alone. A digit comes every 50 ms
in the mean; the flash gives 2 MB/s for 20 mW, and 2% of the tile's static power leaks while it is gated: assumptions.
"""

from collections.abc import Generator
from math import inf

import numpy as np
import simpy
import torch
from data import digits
from networks.reader import LittleReader, Reader
from showing import picture, statistics, table
from torch import Tensor
from training import train

import eventnet
import hwmodel
from scheduler import PowerGating

EVERY, FLASH_BYTES_PER_SECOND, FLASH_W, LEAKAGE = 0.05, 2e6, 0.02, 0.02
THRESHOLDS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, inf)
SMALL, LARGE = hwmodel.load("eie", pes=4), hwmodel.load("cnvlutin", units=1, vector_lanes=16)  # one tile


class Pair:
    """Both chips, in an environment of their own, and what became of the digits that came."""

    def __init__(self, little: LittleReader, large: Reader, threshold: float, samples: list, values: str) -> None:
        self.env, self.little, self.large, self.threshold, self.values = simpy.Environment(), little, large, threshold, values
        wake = large.weight_bytes / FLASH_BYTES_PER_SECOND
        gating = PowerGating(0.0, wake, 1e12 * wake * FLASH_W, leakage=LEAKAGE)
        self.small_chip, self.large_chip = eventnet.Chip(self.env, SMALL), eventnet.Chip(self.env, LARGE, power_gating=gating)
        self.right, self.milliseconds, self.runs = [], [], ([], [])
        self.env.process(self.digits(samples))
        self.env.run()
        used = [chip for chip in (self.small_chip, self.large_chip) if chip.counts["done"]]
        self.microjoules = sum(chip.energy_pj(0, self.env.now) for chip in used) / 1e6 / len(samples)

    def digits(self, samples: list) -> Generator:
        draw = np.random.default_rng(0)
        for sample in samples:
            yield self.env.timeout(draw.exponential(EVERY))
            self.env.process(self.digit(*sample))

    def digit(self, small: Tensor, image: Tensor, label: int) -> Generator:
        came, sure = self.env.now, -inf
        if self.threshold < inf:
            result = yield self.small_chip.submit(self.little, small, values=self.values)
            self.runs[0].append(result.run)
            sure = float(result.outputs.softmax(1).max())
        if sure < self.threshold:
            result = yield self.large_chip.submit(self.large, image, values=self.values)
            self.runs[1].append(result.run)
        self.right.append(int(result.outputs.argmax()) == label)
        self.milliseconds.append(1e3 * (self.env.now - came))


def main() -> None:
    torch.set_grad_enabled(False)
    (smalls, _), (other_smalls, _), (test_smalls, _) = digits(size=4, flat=True)
    (images, labels), (other_images, other_labels), (test_images, test_labels) = digits(size=16)
    torch.manual_seed(0)
    little, large = LittleReader(), Reader()
    train(little, little.loss, smalls, labels, epochs=40, rate=1e-2)
    train(large, large.loss, images, labels, epochs=10, rate=1e-2)
    (sure, guess), read = little(other_smalls).softmax(1).max(1), large(other_images).argmax(1)
    right = {one: float((torch.where(sure < one, read, guess) == other_labels).float().mean()) for one in THRESHOLDS}
    chosen = min(one for one in THRESHOLDS if right[one] >= right[inf] - 0.005)
    samples = list(zip(test_smalls[::2, None], test_images[::2, None], test_labels[::2].tolist(), strict=True))
    print(f"{len(samples)} digits neither trained on nor chosen by, one every {1e3 * EVERY:.0f} ms in the mean:\n")
    rows, curve, judged = [], {}, ()
    for threshold, name in zip(THRESHOLDS, ("always little", *THRESHOLDS[1:-1], "always large"), strict=True):
        pair = Pair(little, large, threshold, samples, "events" if threshold == chosen else "reference")  # the latter counts
        judged += pair.runs if threshold == chosen else ()
        curve[name] = accuracy, energy = 100 * sum(pair.right) / len(samples), pair.microjoules
        times, woken = np.percentile(pair.milliseconds, (50, 95, 99)), len(pair.runs[1]) / len(samples)
        rows.append((name, f"{woken:.1%}", f"{accuracy:.1f}%", f"{energy:,.0f}", *(f"{one:.4f}" for one in times)))
    table(("threshold", "woken", "accuracy", "uJ a digit", "median ms", "95% ms", "99% ms"), rows)
    for runs in judged:  # of the little network, and of the large one
        statistics(runs)
    (accuracy, energy), (best, most) = curve[chosen], curve["always large"]
    said = f"{most / energy:.2f} times less energy than the large one alone"
    with picture("18_big_little.png", f"Big and little: at a threshold of {chosen}, {said}") as axis:
        for name, (right, spent) in curve.items():
            axis.plot(spent, right, "o", color="C0")
            axis.annotate(name, (spent, right), xytext=(4, -12), textcoords="offset points", fontsize=8)
        axis.set(xlabel="energy of both chips for a digit, mean (uJ)", ylabel="accuracy (%)")
        axis.margins(0.2)
    print(f"Conclusion: at {chosen} both together take {said}, with {accuracy:.1f}% right instead of {best:.1f}%.")


if __name__ == "__main__":
    main()
