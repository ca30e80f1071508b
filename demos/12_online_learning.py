"""Online learning: a device whose sensor broke learns to see again, from one digit after the other (scikit-learn's).

What to see: each update is a forward and a backward pass of one sample, as plain PyTorch, on the device. Where a ReLU is zero
its gradient is zero, so backward skips as forward does. What that saves is told from what lanes without work cost: the same
machine runs the same updates without a zero, and the gradient of weights, a product of two vectors that fills one lane of
DaDianNao's sixteen, runs on a DaDianNao of one lane.
"""

from copy import deepcopy

import torch
from data import broken, digits
from showing import part, picture, share, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

UPDATES, RATE, EVERY, FEW = 120, 0.002, 20, 10  # without zeros all updates take the same, so that a few will do
TILE = {"units": 1, "vector_lanes": 16}  # one tile: a small network
MACHINE, WIDE = hwmodel.load("cnvlutin", **TILE, skip_fully_connected=True), hwmodel.load("dadiannao", **TILE)
NARROW, COSTS = hwmodel.load("dadiannao", **TILE, lanes=1), ("ticks", "dynamic_pj")

PARTS = {"forward": "forward products", "input_gradient": "gradients of inputs", "weight_gradient": "gradients of weights",
         "vector": "vector work and the step"}  # fmt: skip


def update(model: nn.Module, image: Tensor, label: Tensor, baseline: hwmodel.Machine, values: str) -> eventnet.Run:
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    with eventnet.watch(machine=MACHINE, baseline=baseline, values=values, progress=False) as watcher:
        optimiser.zero_grad()
        F.cross_entropy(model(image), label).backward()
        optimiser.step()
    return watcher.run


def main() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    known, _, (images, labels) = digits(size=8, flat=True)
    train(model, lambda some, named: F.cross_entropy(model(some), named), *known, epochs=16, batch=128, rate=1e-2)
    full = deepcopy(model.requires_grad_())
    full[1] = full[3] = nn.LeakyReLU(1e-3)  # which gives no zeros
    print(f"{len(labels)} digits on which nothing was trained or chosen: {share(model(images).argmax(1) == labels)} are right,")
    curve = [share(model(broken(images)).argmax(1) == labels)]
    runs, order = [], [(broken(known[0][one]), known[1][one, None]) for one in torch.randperm(len(known[1]))[:UPDATES]]
    for number, (image, label) in enumerate(order, start=1):
        runs.append(update(model, image, label, WIDE, "events"))
        if number % EVERY == 0:
            curve.append(share(model(broken(images)).argmax(1) == labels))
    print(f"once the sensor broke {curve[0]}, and after {UPDATES} updates, each from one other digit, {curve[-1]}.\n")
    full_runs = [update(full, image.clamp(min=1e-3), label, NARROW, "reference") for image, label in order[:FEW]]

    rows = []
    for name, said in PARTS.items():
        some, full_some = part(runs, name), part(full_runs, name)
        zeros = "-" if name == "vector" else f"{100 * total(some, 'zero_macs') / total(some, 'macs'):.1f}%"
        means = [
            (total(some, of) / UPDATES, total(full_some, of) / FEW, total(some, "baseline_" + of) / UPDATES) for of in COSTS
        ]
        cells = [f"{ticks:,.0f}" for ticks in means[0]] + [f"{picojoules / 1e3:,.1f}" for picojoules in means[1]]
        rows.append((said, zeros, *cells))
    table(("an update", "zeros", "ticks", "no zeros", "DaDianNao", "dynamic nJ", "no zeros", "DaDianNao"), rows)
    narrow, wide = (total(part(of, "weight_gradient"), "baseline_dynamic_pj") / len(of) / 1e3 for of in (full_runs, runs))
    print(f"Gradients of weights on a DaDianNao of one lane: {wide - narrow:,.1f} nJ less than on one of sixteen.\n")
    statistics(runs)
    means = ((total(of, "chip_pj") / len(of) / 1e3, total(of, "ticks") / len(of)) for of in (runs, full_runs))
    said = "; without a zero it would be ".join(f"{nanojoules:.0f} nJ and {ticks:,.0f} ticks" for nanojoules, ticks in means)
    with picture("12_online_learning.png", "Online learning: one update for each digit that comes by") as axis:
        axis.plot(range(0, UPDATES + 1, EVERY), [float(of.split("%")[0]) for of in curve], "o-")
        axis.set(xlabel="updates on the device, one digit each", ylabel="accuracy (%)")
    dense = f"{total(runs, 'baseline_pj') / UPDATES / 1e3:,.0f} nJ, {wide - narrow:.0f} of them for lanes without work"
    print(f"Conclusion: an update takes {said}. DaDianNao takes {dense}.")


if __name__ == "__main__":
    main()
