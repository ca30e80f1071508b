"""Experts: a mixture of eight experts, two of which a router chooses for each handwritten digit (scikit-learn's).

What to see: only the chosen experts work. One that is not chosen has no record: no event, no tick, no dynamic energy; what the
chip spends while others work, the clock and leakage, is all that goes on. One that asks all experts stands beside it.
"""

import torch
from data import digits
from showing import picture, share, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

EXPERTS, CHOSEN, WIDTH, RUN = 8, 2, 32, 60
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class Mixture(nn.Module):
    def __init__(self, chosen: int = CHOSEN) -> None:
        super().__init__()
        self.chosen, self.router = chosen, nn.Linear(WIDTH, EXPERTS)
        self.first, self.last = nn.Linear(64, WIDTH), nn.Linear(WIDTH, 10)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, WIDTH)) for _ in range(EXPERTS)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        seen = F.relu(self.first(images))
        scores, chosen = self.router(seen).topk(self.chosen, dim=1)
        shares, mixed = scores.softmax(1), torch.zeros_like(seen)
        for number, expert in enumerate(self.experts):
            rows, choice = (chosen == number).nonzero(as_tuple=True)
            if len(rows):  # somebody has chosen it
                mixed = mixed.index_add(0, rows, expert(seen[rows]) * shares[rows, choice, None])
        return self.last(F.relu(seen + mixed)), chosen

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        shares = self.router(F.relu(self.first(images))).softmax(1).mean(0)  # all experts shall be of use
        return F.cross_entropy(self(images)[0], labels) + EXPERTS * shares.square().sum()


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model, everyone = Mixture(), Mixture(chosen=EXPERTS)
    known, _, (images, labels) = digits(size=8, flat=True)
    print(f"Accuracy on {len(labels)} digits on which nothing was trained or chosen:")
    for mixture in (model, everyone):
        train(mixture, mixture.loss, *known, epochs=24, batch=128, rate=1e-2)
        print(f"{mixture.chosen} of {EXPERTS} experts: {share(mixture(images)[0].argmax(1) == labels)}")
    print(f"\n{CHOSEN} of {EXPERTS} on one tile of Cnvlutin, {RUN} of these digits:\n")
    runs = [eventnet.simulate(model, image, machine=MACHINE, progress=False) for image in images[:RUN, None]]
    rows, dynamic = [], []
    for number in range(EXPERTS):
        of_expert = [[record for record in run.records if f"experts.{number}." in record.name] for run in runs]
        dynamic.append([sum(record.dynamic_pj for record in records) / 1e3 for records in of_expert])
        chosen = [number in run.outputs[1] for run in runs]
        busy, idle = ([spent for spent, one in zip(dynamic[-1], chosen, strict=True) if one == yes] for yes in (True, False))
        static = total([run for run, yes in zip(runs, chosen, strict=True) if not yes], "static_pj") / 1e3
        cells = (sum(busy) / len(busy), sum(idle) / len(idle), static / len(idle))
        rows.append((f"expert {number}", len(busy), *(f"{cell:.1f}" for cell in cells)))
    table(("", "chosen by", "dynamic nJ if chosen", "dynamic nJ if not", "static nJ of the chip if not"), rows)
    statistics(runs)

    flags = {"machine": MACHINE, "values": "reference", "progress": False}  # only counted
    dense = [eventnet.simulate(everyone, image, **flags) for image in images[:RUN, None]]
    gains = [total(dense, of) / total(runs, of) for of in ("dynamic_pj", "static_pj")]
    said = f"{gains[0]:.2f} times less dynamic and {gains[1]:.2f} times less static energy"
    with picture("04_experts.png", f"{CHOSEN} of {EXPERTS} experts: {said}") as axis:
        axis.figure.colorbar(axis.imshow(dynamic, aspect="auto", cmap="Greys"), label="dynamic energy (nJ)")
        axis.set(xlabel="digit", ylabel="expert")
    print(f"Conclusion: only chosen experts take dynamic energy; {CHOSEN} of {EXPERTS} take {said} than all {EXPERTS}.")


if __name__ == "__main__":
    main()
