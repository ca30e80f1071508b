"""Networks that make networks: from a digit, a network makes the weights and the width of another, which draws it.

What to see: the made network exists for one sample only and runs at once, on each pixel's place; its hidden units are as many
as the maker's gates leave open, and only those cost anything. Digits are scikit-learn's. (D. Ha et al., "HyperNetworks", ICLR
2017; the network from places to pixels is in the manner of K. Stanley's compositional pattern-producing networks.)
"""

import torch
from data import digits
from showing import picture, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

SIDE, MOST, SPARING, RUN = 8, 24, 0.006, 60
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class Maker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.gates = nn.Linear(SIDE * SIDE, 48), nn.Linear(48, MOST)
        self.inner, self.outer = nn.Linear(48, MOST * 3), nn.Linear(48, MOST)
        nn.init.ones_(self.gates.bias)  # all open, at first
        line = torch.linspace(-1, 1, SIDE)
        self.register_buffer("places", torch.cartesian_prod(line, line))

    def make(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = F.relu(self.see(image))
        return self.inner(seen).unflatten(1, (3, MOST)), self.outer(seen), F.relu(self.gates(seen))

    def forward(self, image: Tensor) -> tuple[Tensor, int]:
        inner, outer, gates = self.make(image)
        kept = gates.sum(0).nonzero()[:, 0]  # of one image: the width of the made network
        inner, outer = inner[..., kept], outer[:, kept] * gates[:, kept]
        hidden = F.relu(self.places @ inner[:, :2] + inner[:, 2:])  # (images, pixels, units kept)
        return (hidden @ outer[..., None])[..., 0], len(kept)

    def loss(self, images: Tensor) -> Tensor:
        return F.mse_loss(self(images)[0], images) + SPARING * self.make(images)[2].mean()


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model = Maker()
    (known, _), _, (images, _) = digits(size=SIDE, flat=True)
    train(model, model.loss, known, epochs=30, batch=128, rate=1e-2)
    runs = [eventnet.simulate(model, image[None], machine=MACHINE, progress=False) for image in images[:RUN]]
    drawn = torch.cat([model(image[None])[0] for image in images])
    explained = 1 - F.mse_loss(drawn, images) / F.mse_loss(known.mean(0).expand_as(images), images)
    print(f"{explained:.0%} of what {len(images)} digits, neither trained nor chosen on, are beside the mean digit is drawn:\n")

    widths = [run.outputs[1] for run in runs]
    places = [next(at for at, record in enumerate(run.records) if record.op == "nonzero") for run in runs]
    made = [run.records[place:] for run, place in zip(runs, places, strict=True)]  # what comes after the maker's gates
    ticks = [sum(record.ticks for record in records) for records in made]
    rows = []
    for width in sorted(set(widths)):
        of_width = [of_run for of_run, units in zip(ticks, widths, strict=True) if units == width]
        rows.append((f"{width} of {MOST} units", len(of_width), f"{sum(of_width) / len(of_width):,.0f}"))
    table(("made network", "digits", "ticks to run it"), rows)
    statistics(runs)
    share = 100 * sum(ticks) / total(runs, "ticks")
    said = f"{sum(widths) / len(widths):.1f} of {MOST} units on average"
    with picture("11_made_networks.png", f"Networks that make networks: the made one has {said}", panels=3) as axes:
        for axis, pixels, name in ((axes[0], images[0], "a digit"), (axes[1], runs[0].outputs[0][0], "as it is drawn")):
            axis.imshow(pixels.view(SIDE, SIDE), cmap="Greys", vmin=0, vmax=1)
            axis.set(title=name, xlabel="pixels", ylabel="pixels")
        axes[2].plot(widths, ticks, "o", alpha=0.4)
        axes[2].set(xlabel="hidden units of the made network", ylabel="ticks to run it")
    print(f"Conclusion: each digit makes a network of its own width, {said}; running it is {share:.0f}% of the ticks.")


if __name__ == "__main__":
    main()
