"""Sparse activation by training: a block with GELU, ReLU and ReLU squared, on handwritten digits (scikit-learn's).

What to see: GELU has no zeros, so nothing is skipped. ReLU has some, and a penalty on its activations in training gives more;
density, energy and accuracy stand side by side. The machine is EIE, which skips zeros of vectors times matrices.
"""

import torch
from data import digits
from showing import picture, statistics, table
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet

HIDDEN = 256
KINDS = (("GELU", F.gelu, 0.0), ("ReLU", F.relu, 0.0), ("ReLU, penalty", F.relu, 1.0), ("ReLU squared", None, 0.0),
         ("ReLU squared, penalty", None, 3.0))  # fmt: skip


class Block(nn.Module):
    def __init__(self, activation: object, penalty: float) -> None:
        super().__init__()
        self.activation, self.penalty = activation or (lambda seen: F.relu(seen).square()), penalty
        self.up, self.down, self.last = nn.Linear(64, HIDDEN), nn.Linear(HIDDEN, 64), nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(images + self.down(self.activation(self.up(images))))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(images), labels) + self.penalty * self.activation(self.up(images)).mean()


def main() -> None:
    torch.set_grad_enabled(False)
    images, labels, test_images, test_labels = digits(size=8, flat=True)
    rows, points, every = [], {}, []
    for name, activation, penalty in KINDS:
        torch.manual_seed(0)
        model = Block(activation, penalty)
        train(model, model.loss, images, labels, epochs=8, batch=128, rate=5e-3)
        right = 100 * float((model(test_images).argmax(1) == test_labels).float().mean())
        runs = [eventnet.simulate(model, image[None], machine="eie", progress=False) for image in test_images[::7]]
        down = [record for run in runs for record in run.records if record.name == "down"]
        density = 100 * sum(record.event_fraction for record in down) / len(down)
        ticks, energy = sum(record.ticks for record in down) / len(down), sum(run.chip_pj for run in runs) / len(runs) / 1e3
        points[name] = (energy, right)
        every += runs
        rows.append((name, f"{density:.1f}%", f"{ticks:,.0f}", f"{energy:,.1f}", f"{right:.1f}%"))
    table(("block on EIE", "density", "ticks of its second layer", "energy, nJ", "accuracy"), rows)
    statistics(every)

    base, best = points["GELU"], points["ReLU, penalty"]
    said = f"a penalised ReLU takes {base[0] / best[0]:.2f} times less energy than GELU"
    with picture("13_sparse_activation.png", f"Sparse activation by training: {said}") as axis:
        for name, (energy, right) in points.items():
            axis.plot(energy, right, "o", label=name)
        axis.set(xlabel="chip energy of a digit, mean (nJ)", ylabel="accuracy on digits not trained on (%)")
        axis.legend()
    print(f"Conclusion: {said}, with an accuracy of {best[1]:.1f}% instead of {base[1]:.1f}%.")


if __name__ == "__main__":
    main()
