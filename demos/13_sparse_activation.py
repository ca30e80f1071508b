"""Sparse activation by training: a block with GELU, ReLU and ReLU squared, on handwritten digits (scikit-learn's).

What to see: GELU has no zeros, so nothing is skipped. ReLU has some, and a penalty on its activations in training gives more;
density, energy and accuracy stand side by side. The penalty is the highest that costs no more than one in a hundred of the
digits set apart for choosing it. The machine is EIE, which skips zeros of vectors times matrices.
"""

import torch
from data import digits
from networks.block import Block, trained
from showing import picture, share, statistics, table
from torch import Tensor
from torch.nn import functional as F

import eventnet

KINDS = {"GELU": F.gelu, "ReLU": F.relu, "ReLU squared": lambda seen: F.relu(seen).square()}
PENALTIES, GIVEN_AWAY, RUN = (0.0, 0.3, 1.0, 3.0), 0.01, 50  # a hundredth of the digits chosen on


def right(model: Block, images: Tensor, labels: Tensor) -> Tensor:
    return model(images).argmax(1) == labels


def main() -> None:
    torch.set_grad_enabled(False)
    known, validation, report = digits(size=8, flat=True)
    blocks = {}
    for name, activation in KINDS.items():
        tried = [trained(activation, penalty, *known) for penalty in (PENALTIES if name != "GELU" else PENALTIES[:1])]
        hits = [float(right(model, *validation).float().mean()) for model in tried]
        blocks[name] = tried[0]
        kept = max(place for place, of in enumerate(hits) if of >= hits[0] - GIVEN_AWAY)
        if kept:
            blocks[f"{name}, penalty {PENALTIES[kept]:g}"] = tried[kept]
    print(f"Penalties chosen on {len(validation[1])} digits; accuracy on {len(report[1])} for neither training nor choosing:\n")

    rows, points, every = [], {}, []
    for name, model in blocks.items():
        accuracy = share(right(model, *report))
        runs = [eventnet.simulate(model, image[None], machine="eie", progress=False) for image in report[0][:RUN]]
        down = [record for run in runs for record in run.records if record.name == "down"]
        density = 100 * sum(record.event_fraction for record in down) / len(down)
        ticks, energy = sum(record.ticks for record in down) / len(down), sum(run.chip_pj for run in runs) / len(runs) / 1e3
        points[name] = (energy, accuracy)
        every += runs
        rows.append((name, f"{density:.1f}%", f"{ticks:,.0f}", f"{energy:,.1f}", accuracy))
    table(("block on EIE", "density", "ticks of its second layer", "energy, nJ", "accuracy"), rows)
    statistics(every)

    base, (penalised, best) = points["GELU"], next(of for of in points.items() if of[0].startswith("ReLU, penalty"))
    said = f"{penalised}, takes {base[0] / best[0]:.2f} times less energy than GELU"
    with picture("13_sparse_activation.png", f"Sparse activation by training: {said}") as axis:
        for name, (energy, accuracy) in points.items():
            right_share, error = map(float, accuracy.split("% +-"))
            axis.errorbar(energy, right_share, yerr=error, fmt="o", capsize=3, label=name)
        axis.set(xlabel="chip energy of a digit, mean (nJ)", ylabel="accuracy and its standard error (%)")
        axis.margins(y=0.5)
        axis.legend(loc="upper center", ncols=3)
    print(f"Conclusion: {said}, with an accuracy of {best[1]} instead of {base[1]}.")


if __name__ == "__main__":
    main()
