"""AlexNet on Cnvlutin and DaDianNao on the event engine, beside PyTorch's forward.

With `events` every product of both machines is added up from its events, and once more in small integers; with `reference`
nothing is multiplied. Convolutions alone are `model.features` up to the last pooling.
"""

import torch
from timing import median_of, median_ratio, pairs

import eventnet
from eventnet import models


def measure() -> list[str]:
    photograph = models.photo("astronaut", size=227)
    whole = models.calibrate(models.load("alexnet"), photograph, zero_fraction=0.44)
    convolutions = torch.nn.Sequential(
        *[module for name, module in whole.named_children() if not name.startswith(("fc", "flatten", "drop"))][:15]
    )
    rows = ["| what | values | seconds | times PyTorch's forward |", "|---|---|---|---|"]
    with torch.no_grad():
        for what, model in (("convolutions", convolutions), ("whole network", whole)):
            for values in ("events", "reference"):

                def run(model=model, values=values) -> None:
                    eventnet.simulate(model, photograph, baseline="dadiannao", engine="event", values=values, progress=False)

                measured = pairs(run, lambda model=model: model(photograph), repeats=5)
                rows.append(f"| {what} | {values} | {median_of(measured, 0):.2f} | {median_ratio(measured):.0f} |")
    return rows
