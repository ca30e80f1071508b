"""The largest memory a simulation of vgg19 takes, over that of its plain forward, each in a fresh process.

The machine is cnvlutin beside the baseline dadiannao, on the bulk engine; goal: 1.5 where nothing is multiplied
(`values="reference"`). What a process holds at most is the resident set as the operating system counts it, PyTorch included.
"""

from statistics import median

from fresh import told

FORWARD = """
import resource, torch, eventnet
model, picture = eventnet.models.load("vgg19").eval(), eventnet.models.photo("astronaut", size=224)
with torch.no_grad():
    {run}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
SIMULATED = 'eventnet.simulate(model, picture, machine="cnvlutin", baseline="dadiannao", engine="bulk", values={values!r})'
REPEATS = 3


def measure() -> list[str]:
    rows = ["| values | MB of a forward | MB of a simulation | ratio |", "|---|---|---|---|"]
    for values in ("reference", "events"):
        pairs = [
            (told(FORWARD.format(run=SIMULATED.format(values=values))), told(FORWARD.format(run="model(picture)")))
            for _ in range(REPEATS)
        ]
        ratio = median(simulated / plain for simulated, plain in pairs)
        simulated, plain = (median(pair[side] for pair in pairs) / 1024 for side in (0, 1))
        rows.append(f"| {values} | {plain:,.0f} | {simulated:,.0f} | {ratio:.2f} |")
    return rows
