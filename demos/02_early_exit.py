"""Early exit: a network that stops as soon as it is sure, on handwritten digits (scikit-learn's).

What to see: easy digits leave at the first exit and hard ones go deep; as the threshold of confidence falls, ticks and energy
fall faster than accuracy. The model is plain PyTorch with a `break`, which the modelled hardware obeys.
"""

import torch
from networks.multi_scale import MultiScale, trained
from showing import picture, statistics, table
from torch import Tensor, nn

import eventnet
import hwmodel

THRESHOLD, NEVER = 0.9, 2.0  # no confidence is above 1
THRESHOLDS = (0.5, 0.7, THRESHOLD, NEVER)
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class EarlyExit(nn.Module):
    def __init__(self, network: MultiScale, threshold: float) -> None:
        super().__init__()
        self.network, self.threshold = network, threshold

    def forward(self, image: Tensor) -> tuple[Tensor, int]:
        for depth, logits in enumerate(self.network.exits(image), start=1):  # noqa: B007  # it is returned
            if logits.softmax(1).max() >= self.threshold:
                break
        return logits, depth


def main() -> None:
    torch.set_grad_enabled(False)
    network, samples = trained()
    curve, depths = {}, []
    for threshold in THRESHOLDS:
        values = "events" if threshold == THRESHOLD else "reference"  # the latter counts, and lets PyTorch multiply
        model = EarlyExit(network, threshold)
        runs = [eventnet.simulate(model, image, machine=MACHINE, values=values, progress=False) for image, _ in samples]
        right = [int(run.outputs[0].argmax()) == label for run, (_, label) in zip(runs, samples, strict=True)]
        ticks, nanojoules = sum(run.ticks for run in runs), sum(run.chip_pj for run in runs) / 1e3
        name = f"{threshold:.2f}" if threshold < NEVER else "never"
        curve[name] = [100 * sum(right) / len(samples), ticks / len(samples), nanojoules / len(samples)]
        if threshold == THRESHOLD:
            judged, depths = runs, [(run.outputs[1], run, answer) for run, answer in zip(runs, right, strict=True)]

    print(f"Early exit at a confidence of {THRESHOLD} on one tile of Cnvlutin, {len(samples)} digits not trained on:\n")
    rows = []
    for exit_number in range(1, len(network.stages) + 1):
        left = [(run.ticks, answer) for depth, run, answer in depths if depth == exit_number]
        ticks, right = (sum(one) / len(left) for one in zip(*left, strict=True))
        rows.append((f"exit {exit_number}", len(left), f"{right:.0%}", f"{ticks:,.0f}"))
    table(("left at", "digits", "accuracy", "mean ticks"), rows)
    statistics(judged)
    heads = ("leaves at", "accuracy", "mean ticks", "mean energy, nJ")
    table(heads, [(name, f"{right:.1f}%", f"{ticks:,.0f}", f"{nj:,.1f}") for name, (right, ticks, nj) in curve.items()])

    chosen, always = curve[f"{THRESHOLD:.2f}"], curve["never"]
    said = f"{always[1] / chosen[1]:.2f} times fewer ticks and {always[2] / chosen[2]:.2f} times less energy than to the end"
    with picture("02_early_exit.png", f"Early exit at {THRESHOLD}: {said}") as axis:
        for of, label in ((1, "ticks"), (2, "chip energy")):
            shares = [100 * point[of] / always[of] for point in curve.values()]
            axis.plot(shares, [point[0] for point in curve.values()], "o-", label=label)
        for name, share, point in zip(curve, shares, curve.values(), strict=True):
            axis.annotate(name, (share, point[0]), xytext=(-8, 6), textcoords="offset points", fontsize=8)
        axis.set(xlabel="mean of a digit, as a share of the whole network's (%)", ylabel="accuracy (%)")
        axis.legend(loc="lower right")
    print(f"Conclusion: leaving at {THRESHOLD} takes {said}, with an accuracy of {chosen[0]:.1f}% instead of {always[0]:.1f}%.")


if __name__ == "__main__":
    main()
