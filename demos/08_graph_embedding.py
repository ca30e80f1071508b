"""Graph embedding: a knowledge base as translations, queried one triple at a time, on who meets whom in Les Miserables.

What to see: a triple (head, relation, tail) is three one-hot inputs, as sparse as can be. A dense machine multiplies the whole
table; one that skips zeros still looks for the one among them; a look-up is one event, whatever the size of the table.
"""

import torch
from data import knowledge
from networks.translation import OneHot, Translation
from showing import picture, share, statistics, table, total
from torch import Tensor
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
    fold = torch.arange(len(triples)) // 2 % 5  # of pairs, in both directions: 0 to 2 are trained on, 4 were chosen on
    known, unseen = triples[fold < 3], triples[fold == 3]
    model = Translation(people, 2)
    train(model, model.loss, known, epochs=100, rate=1e-2)

    def first_ten(scores: Tensor) -> Tensor:
        """Say which tails are among the best ten, the head and the tails that are known already left out."""
        own = scores.gather(1, unseen[:, 2:])
        for row, (head, relation, _) in zip(scores, unseen.tolist(), strict=True):
            row[known[(known[:, 0] == head) & (known[:, 1] == relation), 2]] = row[head] = -torch.inf
        return (scores > own).sum(1) < 10

    met_most = known[:, 2].bincount(minlength=people).float().repeat(len(unseen), 1)
    found = share(first_ten(model(unseen[:, :1], unseen[:, 1:2], torch.arange(people))))
    print(f"Of {len(unseen)} triples on which nothing was trained or chosen {found} have the tail in the first 10 of {people},")
    print(f"and {share(first_ten(met_most))} if the answer is always who meets the most.\n")

    rows, ticks, judged = [], {}, {machine.name: [] for machine in MACHINES}
    for size in SIZES:
        samples = unseen[: 50 if size == people else 5]  # the size of the table is all that changes later on
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

    taken = [ticks[label][-1] for label in ("look-up on cnvlutin", "one-hot on cnvlutin", "one-hot on dadiannao")]
    said = "{:.0f} ticks, {:.0f} if zeros are skipped one by one, {:.0f} if they are multiplied".format(*taken)
    with picture("08_graph_embedding.png", f"{SIZES[-1]:,} rows: {said}") as axis:
        for label, numbers in ticks.items():
            axis.loglog(SIZES, numbers, "o--" if "dadiannao" in label else "o-", label=label)
        axis.set(xlabel="rows of the table", ylabel="ticks of a query, mean")
        axis.legend()
    print(f"Conclusion: a look-up costs the same in any table; of {SIZES[-1]:,} rows, {said}.")


if __name__ == "__main__":
    main()
