"""Halting: a recurrent network that decides how often to look, on handwritten digits (scikit-learn's).

What to see: each look shows an eighth of the pixels, and after each the network decides whether it has seen enough. One that is
made to stop after a fixed number of looks stands beside it. The hardware works only for the looks that are taken. The loop is
a Python `while`.

A. Graves, "Adaptive computation time for recurrent neural networks", 2016.
"""

import torch
from data import digits
from showing import picture, share, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

WIDTH, MOST, SMALL, PONDER, RUN = 32, 8, 0.01, 0.03, 60
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class Looker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.cell = nn.Linear(64, WIDTH), nn.RNNCell(WIDTH, WIDTH, nonlinearity="relu")
        self.halt, self.answer = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 10)
        self.register_buffer("masks", F.one_hot(torch.randperm(64) % MOST).T)  # which pixels each look shows

    def forward(self, images: Tensor, most: int = MOST) -> tuple[Tensor, Tensor, int]:
        """Give the mean of each look's answer, the length of looking, with gradient, and the looks taken."""
        state, answer, looks = images.new_zeros(len(images), WIDTH), 0.0, 0
        left = length = images.new_zeros(len(images), 1) + 1  # the probability of still looking, and what it sums to
        while looks < most and (left > 0).any():
            state, looks = self.cell(self.see(images * self.masks[looks]), state), looks + 1
            halting = left * self.halt(state).sigmoid()
            if looks == most:
                halting = left
            if not self.training:  # which is smooth, so that it is the same everywhere
                halting = torch.where(left - halting < SMALL, left, halting)  # what is left is too little to look on
            answer, left = answer + halting * self.answer(state).softmax(1), left - halting
            length = length + left
        return answer, length, looks

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        answer, length, _ = self(images)
        return F.nll_loss((answer + 1e-9).log(), labels) + PONDER * length.mean()


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model = Looker()
    known, _, (images, labels) = digits(size=8, flat=True)
    train(model, model.loss, *known, epochs=30, batch=128, rate=1e-2)
    seen = [model(image[None]) for image in images]
    right, looks = torch.cat([answer for answer, _, _ in seen]).argmax(1) == labels, [taken for _, _, taken in seen]
    print(f"{len(labels)} digits for neither training nor choosing, {share(right)} right; the first {RUN} on Cnvlutin:\n")

    runs = [eventnet.simulate(model, image[None], machine=MACHINE, progress=False) for image in images[:RUN]]
    rows, fixed = [], [model(images, most=count)[0].argmax(1) == labels for count in range(1, MOST + 1)]
    for count, of_all in enumerate(fixed, start=1):
        done = [run for run in runs if run.outputs[2] == count]
        cells = [f"{total(done, of) / len(done) / by:,.0f}" if done else "-" for of, by in (("ticks", 1), ("chip_pj", 1e3))]
        rows.append((count, share(of_all), looks.count(count), len(done), *cells))
    table(("looks", "right if all stop here", "digits that do", "run", "mean ticks", "mean nJ"), rows)
    statistics(runs)
    mean = sum(looks) / len(looks)
    said = f"{min(looks)} to {max(looks)} looks, {mean:.1f} on average"
    with picture("06_halting.png", f"Halting: {said}") as axis:
        axis.bar(range(1, MOST + 1), [looks.count(count) for count in range(1, MOST + 1)], width=0.6)
        axis.set(xlabel="looks at a digit", ylabel="digits")
    same = share(fixed[round(mean) - 1])
    print(f"Conclusion: a digit takes {said}, with {share(right)} right instead of {same} if all take {mean:.0f}.")


if __name__ == "__main__":
    main()
