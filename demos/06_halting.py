"""Halting: a recurrent network that decides how long to think, on handwritten digits (scikit-learn's).

What to see: after each step the network decides whether it has thought enough. Easy samples take fewer steps than hard ones,
and the hardware works only for those that are taken. The loop is a Python `while`.

A. Graves, "Adaptive computation time for recurrent neural networks", 2016.
"""

import torch
from data import digits
from showing import picture, statistics, table
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

WIDTH, MOST, SMALL, PONDER = 24, 6, 0.01, 0.01
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class Thinker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.cell = nn.Linear(64, WIDTH), nn.RNNCell(WIDTH, WIDTH, nonlinearity="relu")
        self.halt, self.answer = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, int]:
        """Give the mean of each step's answer, the length of thinking, with gradient, and the steps taken."""
        seen, steps = self.see(images), 0
        state, answer = torch.zeros_like(seen), 0.0
        left = length = images.new_zeros(len(images), 1) + 1  # the probability of still thinking, and what it sums to
        while steps < MOST and (left > 0).any():
            state, steps = self.cell(seen, state), steps + 1
            halting = left * self.halt(state).sigmoid()
            if steps == MOST:
                halting = left
            halting = torch.where(left - halting < SMALL, left, halting)  # what is left is too little to think on
            answer, left = answer + halting * self.answer(state).softmax(1), left - halting
            length = length + left
        return answer, length, steps

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        answer, length, _ = self(images)
        return F.nll_loss((answer + 1e-9).log(), labels) + PONDER * length.mean()


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model = Thinker()
    images, labels, test_images, test_labels = digits(size=8, flat=True)
    train(model, model.loss, images, labels, epochs=20, batch=128, rate=1e-2)
    right = (model(test_images)[0].argmax(1) == test_labels).float().mean()
    print(f"A thinker on one tile of Cnvlutin, accuracy {right:.1%} on {len(test_labels)} digits not trained on.\n")

    samples = list(zip(test_images[::7], test_labels[::7], strict=True))
    runs = [eventnet.simulate(model, image[None], machine=MACHINE, progress=False) for image, _ in samples]
    rows, means = [], {}
    for steps in sorted({run.outputs[2] for run in runs}):
        done = [(run.ticks, run.chip_pj / 1e3, float(run.outputs[0].max())) for run in runs if run.outputs[2] == steps]
        means[steps], nanojoules, sure = (sum(one) / len(done) for one in zip(*done, strict=True))
        rows.append((f"{steps} steps", len(done), f"{sure:.2f}", f"{means[steps]:,.0f}", f"{nanojoules:,.1f}"))
    table(("thought for", "digits", "mean confidence", "mean ticks", "mean energy, nJ"), rows)
    statistics(runs)

    thought = [run.outputs[2] for run in runs]
    gain = max(run.ticks for run in runs) * len(runs) / sum(run.ticks for run in runs)
    with picture("06_halting.png", f"Halting: thinking about all as long takes {gain:.2f} times the ticks") as axis:
        axis.bar(list(means), [thought.count(steps) for steps in means], width=0.6)
        axis.set(xlabel="steps that a digit was thought about", ylabel="digits", xticks=list(means))
    print(
        f"Conclusion: a digit takes {min(thought)} to {max(thought)} steps; all at the longest take {gain:.2f} times the ticks."
    )


if __name__ == "__main__":
    main()
