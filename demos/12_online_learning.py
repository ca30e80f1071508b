"""Online learning: a device whose sensor broke learns to see again, from one digit after the other (scikit-learn's).

What to see: each update is a forward and a backward pass of one sample, as plain PyTorch, on the device. Where a ReLU is zero
its gradient is zero, so backward skips as forward does. The gradient of weights is a product of two vectors, which fills one
lane of sixteen: DaDianNao's others multiply padding.
"""

import torch
from data import broken, digits
from showing import picture, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

UPDATES, RATE, EVERY = 120, 0.005, 20
TILE = {"units": 1, "vector_lanes": 16}  # one tile: a small network
MACHINE, DENSE = hwmodel.load("cnvlutin", **TILE, skip_fully_connected=True), hwmodel.load("dadiannao", **TILE)
PARTS = {
    "forward products": lambda record: not record.vector and record.part == "forward",
    "gradients of inputs": lambda record: not record.vector and record.part == "input_gradient",
    "gradients of weights": lambda record: not record.vector and record.part == "weight_gradient",
    "vector work and the step": lambda record: record.vector,
}


def main() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    images, labels, test_images, test_labels = digits(size=8, flat=True)
    train(model, lambda some, named: F.cross_entropy(model(some), named), images, labels, epochs=8, batch=128, rate=1e-2)

    def accuracy(of: Tensor) -> float:
        return 100 * float((model(of).argmax(1) == test_labels).float().mean())

    now, curve = broken(test_images), [accuracy(broken(test_images))]
    print(f"Before the sensor broke {accuracy(test_images):.1f}% of digits not trained on are right, then {curve[0]:.1f}%.")
    optimiser = torch.optim.SGD(model.requires_grad_().parameters(), lr=RATE)
    runs = []
    for number, chosen in enumerate(torch.randperm(len(labels))[:UPDATES], start=1):
        with eventnet.watch(machine=MACHINE, baseline=DENSE, progress=False) as watcher:
            optimiser.zero_grad()
            F.cross_entropy(model(broken(images[chosen])), labels[chosen, None]).backward()
            optimiser.step()
        runs.append(watcher.run)
        if number % EVERY == 0:
            curve.append(accuracy(now))
    print(f"After {UPDATES} updates, each from one digit, {curve[-1]:.1f}% are right.\n")

    rows, records = [], [record for run in runs for record in run.records]
    for name, chosen in PARTS.items():
        part = [record for record in records if chosen(record)]
        macs = sum(record.macs for record in part)
        zeros = f"{100 * sum(record.zero_macs for record in part) / macs:.1f}%" if macs else "-"
        sums = [sum(getattr(record, of) for record in part) / UPDATES for of in ("ticks", "baseline_ticks", "dynamic_pj")]
        dense = sum(record.baseline_dynamic_pj for record in part) / UPDATES
        rows.append((name, zeros, *(f"{one:,.0f}" for one in sums[:2]), f"{sums[2] / 1e3:,.1f}", f"{dense / 1e3:,.1f}"))
    table(("an update", "zeros", "ticks", "DaDianNao", "dynamic nJ", "DaDianNao"), rows)
    statistics(runs)

    energy, gain = total(runs, "chip_pj") / UPDATES / 1e3, total(runs, "baseline_pj") / total(runs, "chip_pj")
    with picture(
        "12_online_learning.png", f"Online learning: {energy:.0f} nJ an update, {gain:.2f} times less than dense"
    ) as axis:
        axis.plot(range(0, UPDATES + 1, EVERY), curve, "o-")
        axis.set(xlabel="updates on the device, one digit each", ylabel="accuracy on digits not trained on (%)")
    print(f"Conclusion: an update takes {energy:.0f} nJ, {gain:.2f} times less than on DaDianNao, dense.")


if __name__ == "__main__":
    main()
