"""What it takes to begin: `import eventnet` beside `import torch`, and the first simulation with and without compiled loops.

All in fresh processes, the sides in turn, medians. Imports in processor time, start of the interpreter included; goal: at most
0.5 s more than torch. The first simulation is of a network of two layers, once with an empty cache of compiled loops and then with a full one.
"""

import tempfile
from statistics import median

from fresh import process_seconds, told

REPEATS = 9
FIRST = """
from time import perf_counter
import torch, eventnet
model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))
start = perf_counter()
eventnet.simulate(model, torch.ones(1, 3, 9, 9), machine="cnvlutin", baseline="dadiannao", engine={engine!r}, progress=False)
print(perf_counter() - start)
"""


def measure() -> list[str]:
    programs = ("import torch", "import torch, numba", "import torch, eventnet")
    taken = [[process_seconds(program) for program in programs] for _ in range(REPEATS)]
    plain = median(one[0] for one in taken)
    rows = ["| program | s | more than torch, s |", "|---|---|---|"]
    for side, program in enumerate(programs):
        more = median(one[side] - one[0] for one in taken)
        rows.append(f"| `{program}` | {median(one[side] for one in taken):.2f} | {more:.2f} ({more / plain:.0%}) |")
    rows += ["", "| first simulation | s with an empty cache | s with a full one | ratio |", "|---|---|---|---|"]
    for engine in ("bulk", "event"):
        colds, warms = [], []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as cache:
                colds.append(told(FIRST.format(engine=engine), NUMBA_CACHE_DIR=cache))
                warms.append(told(FIRST.format(engine=engine), NUMBA_CACHE_DIR=cache))
        ratio = median(cold / warm for cold, warm in zip(colds, warms, strict=True))
        rows.append(f"| {engine} | {median(colds):.2f} | {median(warms):.2f} | {ratio:.1f} |")
    return rows
