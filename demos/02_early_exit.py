"""Early exit: a network that stops as soon as it is sure, on handwritten digits (scikit-learn's).

What to see: easy digits leave at the first exit and hard ones go deep; as the threshold of confidence falls, ticks and energy
fall faster than accuracy. The threshold is chosen on digits of its own: the lowest that loses none of their accuracy. What it
does is shown on others. The model is plain PyTorch with a `break`, which the modelled hardware obeys.
"""

import torch
from networks.multi_scale import MultiScale, leaving, trained
from showing import picture, share, statistics, table
from torch import Tensor, nn

import eventnet
import hwmodel

NEVER = 2.0  # no confidence is above 1
THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, NEVER)
ENDS, EVENTS = 100, 60  # digits that run to the end, which says what each exit takes, and digits that leave, event by event
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


def until(run: eventnet.Run, depth: int) -> tuple[int, float]:
    """Add up ticks and energy (nJ) of a run to the end until its exit of a depth."""
    end = next((place for place, record in enumerate(run.records) if f"stages.{depth}." in record.name), None)
    return sum(one.ticks for one in run.records[:end]), sum(one.dynamic_pj + one.static_pj for one in run.records[:end]) / 1e3


def main() -> None:
    torch.set_grad_enabled(False)
    network, validation, report = trained()
    hits = [int(leaving(network, *validation, threshold)[1].sum()) for threshold in THRESHOLDS]
    chosen = next(threshold for threshold, right in zip(THRESHOLDS, hits, strict=True) if right >= hits[-1])
    print(f"On {len(validation[1])} other digits, {chosen} is the lowest threshold that loses no accuracy.")
    print(f"One tile of Cnvlutin, {len(report[1])} digits on which nothing was trained or chosen:\n")
    flags = {"machine": MACHINE, "progress": False}
    ends = [eventnet.simulate(EarlyExit(network, NEVER), one[None], values="reference", **flags) for one in report[0][:ENDS]]
    costs = [[until(run, depth) for depth in range(1, len(network.stages) + 1)] for run in ends]
    of_exits = torch.tensor(costs).mean(0).T  # ticks and energy until each exit, in which digits differ little
    runs = [eventnet.simulate(EarlyExit(network, chosen), image[None], **flags) for image in report[0][:EVENTS]]
    assert all(run.ticks == cost[run.outputs[1] - 1][0] for run, cost in zip(runs, costs, strict=False))  # up to there the same
    curve, (depths, right) = {}, leaving(network, *report, chosen)
    left = {depth: right[depths == depth] for depth in depths.unique().tolist()}
    table(("left at", "digits", "accuracy"), [(f"exit {depth}", len(of), share(of)) for depth, of in left.items()])
    for threshold in THRESHOLDS:
        depths, right = leaving(network, *report, threshold)
        means = [float(exits[depths - 1].mean()) for exits in of_exits]
        curve[f"{threshold:.2f}" if threshold < NEVER else "never"] = share(right), *means
    rows = [(name, of, f"{ticks:,.0f}", f"{nj:,.1f}") for name, (of, ticks, nj) in curve.items()]
    table(("leaves at", "accuracy", "mean ticks", "mean energy, nJ"), rows)
    statistics(runs)

    (accuracy, *now), (whole, *most) = curve[f"{chosen:.2f}"], curve["never"]
    said = f"{most[0] / now[0]:.2f} times fewer ticks and {most[1] / now[1]:.2f} times less energy than to the end"
    with picture("02_early_exit.png", f"Early exit at {chosen}: {said}") as axis:
        heights = [float(of.split("%")[0]) for of, *_ in curve.values()]
        for of, label in enumerate(("ticks", "chip energy")):
            shares = [100 * point[1 + of] / most[of] for point in curve.values()]
            axis.plot(shares, heights, "o-", label=label)
        for name, at, height in zip(curve, shares, heights, strict=True):
            axis.annotate(name, (at, height), xytext=(-8, 6), textcoords="offset points", fontsize=8)
        axis.set(xlabel="mean of a digit, as a share of the whole network's (%)", ylabel="accuracy (%)")
        axis.legend()
    print(f"Conclusion: leaving at {chosen} takes {said}, with an accuracy of {accuracy} instead of {whole}.")


if __name__ == "__main__":
    main()
