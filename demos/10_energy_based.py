"""Energy-based: inference by gradient descent on a scalar energy, on handwritten digits (scikit-learn's).

What to see: an answer is found by back-propagation inside inference, step by step until the slope is flat; samples take
different numbers of steps, and the same machine runs forward and backward. What counts as flat is chosen on digits of its own.
(D. Belanger, A. McCallum, "Structured prediction energy networks", ICML 2016.)
"""

import torch
from data import digits
from networks.energy import Energy
from showing import picture, share, statistics, table
from torch import Tensor
from training import train

import eventnet
import hwmodel

SLOPES, GIVEN_AWAY, RUN = (3.2, 1.6, 0.8, 0.4, 0.2, 0.1), 0.01, 60  # what may count as flat; the accuracy that may go for it
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model = Energy()
    known, validation, report = digits(size=8, flat=True)
    train(model, model.loss, *known, epochs=12, batch=128, rate=2e-2)

    def right(flat: float, images: Tensor, labels: Tensor) -> Tensor:
        model.flat = flat
        return torch.tensor(
            [bool(model(image[None])[0].argmax() == label) for image, label in zip(images, labels, strict=True)]
        )

    hits = {flat: float(right(flat, *validation).float().mean()) for flat in SLOPES}
    flat = next(slope for slope, of in hits.items() if of >= hits[SLOPES[-1]] - GIVEN_AWAY)
    print(f"On {len(validation[1])} other digits a slope of {flat} loses at most {GIVEN_AWAY:.0%} against one of {SLOPES[-1]}.")
    print(f"It gives {share(right(flat, *report))} right of {len(report[1])} digits on which nothing was trained or chosen.\n")
    print(f"Gradient descent on one tile of Cnvlutin, {RUN} of these digits:\n")
    runs = [eventnet.simulate(model, image[None], machine=MACHINE, progress=False) for image in report[0][:RUN]]
    rows, steps = [], [run.outputs[1] for run in runs]
    for name, part in (("forward, with the first look", "forward"), ("backward", "input_gradient")):
        records = [record for run in runs for record in run.records if record.part == part]
        products = sum(record.effectual_macs for record in records) / sum(steps)
        ticks = sum(record.ticks for record in records) / sum(steps)
        energy = sum(record.dynamic_pj + record.static_pj for record in records) / sum(steps) / 1e3
        rows.append((name, f"{products:,.0f}", f"{ticks:,.1f}", f"{energy:,.2f}"))
    table(("part of a step", "products of nonzeros", "ticks", "energy, nJ"), rows)
    rows = [(f"{count} steps", steps.count(count)) for count in range(min(steps), max(steps) + 1)]
    table(("converged after", "digits"), rows)
    statistics(runs)

    gain = max(steps) * len(steps) / sum(steps)
    with picture("10_energy_based.png", f"Energy-based: always {max(steps)} steps would be {gain:.2f} times as many") as axis:
        axis.plot(steps, [run.ticks for run in runs], "o", alpha=0.4)
        axis.set(
            xlabel="steps of gradient descent until the slope is flat", ylabel="ticks of a digit", xticks=sorted(set(steps))
        )
    print(
        f"Conclusion: ticks follow the steps, {min(steps)} to {max(steps)}; the most for all would be {gain:.2f} times as many."
    )


if __name__ == "__main__":
    main()
