"""Energy-based: inference by gradient descent on a scalar energy, on handwritten digits (scikit-learn's).

What to see: an answer is found by back-propagation inside inference, step by step until the slope is flat; samples take
different numbers of steps, and the same machine runs forward and backward. (D. Belanger, A. McCallum,
"Structured prediction energy networks", ICML 2016.)
"""

import torch
from data import digits
from showing import picture, statistics, table
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

WIDTH, MOST, RATE, FLAT = 32, 20, 0.2, 0.2
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class Energy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.weigh = nn.Linear(64, WIDTH), nn.Linear(10, WIDTH, bias=False)

    def energy(self, seen: Tensor, answer: Tensor) -> Tensor:
        return (F.relu(seen + self.weigh(answer)).square().sum() + answer.square().sum()) / 2

    def forward(self, images: Tensor) -> tuple[Tensor, int]:
        seen, answer, steps, flat = self.see(images), images.new_zeros(len(images), 10), 0, False
        while steps < MOST and not flat:
            with torch.enable_grad():
                answer = answer.requires_grad_()
                (slope,) = torch.autograd.grad(self.energy(seen, answer), answer, create_graph=self.training)
            answer, steps = answer - RATE * slope, steps + 1
            flat = bool(slope.abs().max() < FLAT)
        return answer, steps

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(3 * self(images)[0], labels)


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model = Energy()
    images, labels, test_images, test_labels = digits(size=8, flat=True)
    train(model, model.loss, images, labels, epochs=12, batch=128, rate=1e-2)
    samples = list(zip(test_images[::7], test_labels[::7], strict=True))
    runs = [eventnet.simulate(model, image[None], machine=MACHINE, progress=False) for image, _ in samples]
    right = sum(int(run.outputs[0].argmax()) == int(label) for run, (_, label) in zip(runs, samples, strict=True))
    print(f"Gradient descent on one tile of Cnvlutin, accuracy {right / len(runs):.1%} on {len(runs)} digits not trained on.\n")
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

    gain = MOST * len(steps) / sum(steps)
    with picture("10_energy_based.png", f"Energy-based: always {MOST} steps would be {gain:.1f} times as many") as axis:
        axis.plot(steps, [run.ticks for run in runs], "o", alpha=0.4)
        axis.set(xlabel="steps of gradient descent until the slope is flat", ylabel="ticks of a digit")
    print(f"Conclusion: ticks follow the steps, {min(steps)} to {max(steps)}; always {MOST} would be {gain:.1f} times as many.")


if __name__ == "__main__":
    main()
