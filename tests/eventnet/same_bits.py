"""Run a small network in every way there is, and write every report into a folder: what two processes are compared by.

python tests/eventnet/same_bits.py FOLDER
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import nn
from torch.nn.functional import relu

import eventnet
import hwmodel
from eventnet.reports.comparison import comparison


class Branches(nn.Module):
    """Two convolutions side by side, joined, pooled and classified; with dropout, so that random state matters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.narrow = nn.Conv2d(8, 4, 1)
        self.wide = nn.Conv2d(8, 4, 3, padding=1)
        self.classes = nn.Linear(8 * 9, 10)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        features = relu(self.stem(picture))
        joined = torch.cat([relu(self.narrow(features)), torch.tanh(self.wide(features))], dim=1)
        pooled = nn.functional.dropout(nn.functional.max_pool2d(joined, 2).flatten(1), 0.2)
        return torch.softmax(self.classes(pooled), dim=1)


def write(run: eventnet.Run, folder: Path, name: str) -> None:
    for kind in ("json", "csv", "html", "perfetto"):
        getattr(run, f"to_{kind}")(folder / f"{name}.{kind}")
    told = [str(run), repr(list(run.ledger.as_dict().items()))]
    told += [repr((list(record.ledger.as_dict().items()), record)) for record in run.records]
    if run.outputs is not None:
        told.append(run.outputs.detach().numpy().tobytes().hex())
    (folder / f"{name}.txt").write_text("\n".join(told))


def main(folder: Path) -> None:
    torch.manual_seed(5)
    model, picture = Branches(), torch.randn(1, 3, 6, 6).relu()
    machines = sorted(hwmodel.machines())
    for machine in machines:
        for engine in ("event", "bulk"):
            baseline = "dadiannao" if machine == "cnvlutin" else None
            run = eventnet.simulate(model, picture, machine=machine, baseline=baseline, engine=engine, progress=False)
            write(run, folder, f"{machine} {engine}")
    runs = eventnet.simulate(model, picture, machine=machines, values="reference", progress=False)
    (folder / "comparison.txt").write_text(comparison(runs))
    with eventnet.watch(machine="cnvlutin", progress=False) as watcher:
        model(picture).square().mean().backward()
    write(watcher.run, folder, "backward")
    samples = eventnet.simulate(model, samples=[picture, 2 * picture.roll(1, -1)], progress=False)
    (folder / "samples.txt").write_text(f"{samples}\n{samples!r}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
