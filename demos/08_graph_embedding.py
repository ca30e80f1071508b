"""Graph embedding: a knowledge base as translations, queried one triple at a time, on who meets whom in Les Miserables.

What to see: a triple (head, relation, tail) is three one-hot inputs, as sparse as can be. A dense machine multiplies the whole
table; one that skips zeros still looks for the one among them; a look-up is one event, whatever the size of the table.
"""

import torch
from data import knowledge
from networks.translation import OneHot, Translation
from showing import picture, statistics, table, total
from training import train

import eventnet
import hwmodel

SIZES = (77, 512, 2048)
TILE = {"units": 1, "vector_lanes": 16}  # one tile: a small network
MACHINES = [hwmodel.load("cnvlutin", **TILE, skip_fully_connected=True), hwmodel.load("dadiannao", **TILE)]


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    people, triples = knowledge()
    held_out = torch.arange(len(triples)) // 2 % 5 == 4  # every fifth pair, in both directions
    model = Translation(people, 2)
    train(model, model.loss, triples[~held_out], epochs=30, rate=3e-2)
    head, relation, tail = triples[held_out].T
    scores = model(head[:, None], relation[:, None], torch.arange(people))
    ranks = (scores > scores.gather(1, tail[:, None])).sum(1)
    print(f"{(ranks < 10).float().mean():.0%} of the triples not trained on have the tail in the first 10 of {people}.\n")

    rows, ticks, judged = [], {}, {machine.name: [] for machine in MACHINES}
    for size in SIZES:
        samples = triples[held_out][: 50 if size == people else 5]  # the size of the table is all that changes later on
        for kind, name in ((Translation, "look-up"), (OneHot, "one-hot")):
            larger = kind(size, 2)  # the same entities, and others that no triple names
            larger.relation, larger.entity.weight[:people] = model.relation, model.entity.weight
            runs = [eventnet.simulate(larger, *one[:, None], machine=MACHINES, progress=False) for one in samples]
            for machine, of_machine in zip(MACHINES, zip(*runs, strict=True), strict=True):
                label = f"{name} on {machine.name}"
                mean, energy = (total(of_machine, of) / len(runs) for of in ("ticks", "chip_pj"))
                ticks.setdefault(label, []).append(mean)
                rows.append((label, size, f"{mean:,.0f}", f"{energy / 1e3:,.1f}"))
                judged[machine.name] += of_machine
    table(("query of a triple", "rows", "mean ticks", "mean energy, nJ"), rows)
    for name, runs in judged.items():
        print(name, end=": ")
        statistics(runs)

    gain = ticks["one-hot on dadiannao"][-1] / ticks["look-up on cnvlutin"][-1]
    with picture("08_graph_embedding.png", f"Graph embedding: {SIZES[-1]:,} rows, {gain:.0f} times fewer ticks") as axis:
        for label, numbers in ticks.items():
            axis.loglog(SIZES, numbers, "o--" if "dadiannao" in label else "o-", label=label)
        axis.set(xlabel="rows of the table", ylabel="ticks of a query, mean")
        axis.legend()
    print(f"Conclusion: a look-up costs the same in any table; of {SIZES[-1]:,} rows, {gain:.0f} times fewer ticks than dense.")


if __name__ == "__main__":
    main()
