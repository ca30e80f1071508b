"""Graph embedding: a knowledge base as translations, queried one triple at a time, on who meets whom in Les Miserables.

What to see: a triple (head, relation, tail) is three one-hot inputs, as sparse as can be. A dense machine multiplies the whole
table; one that skips zeros still looks for the one among them; a look-up is one event, whatever the size of the table.
The graph is networkx's, its relations "meets in one chapter" and "meets in several". (A. Bordes et al., "Translating embeddings
for modeling multi-relational data", NIPS 2013.)
"""

import networkx as nx
import torch
from showing import picture, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

import eventnet
import hwmodel

WIDTH, SIZES = 16, (77, 512, 2048)
TILE = {"units": 1, "vector_lanes": 16}  # one tile: a small network
MACHINES = [hwmodel.load("cnvlutin", **TILE, skip_fully_connected=True), hwmodel.load("dadiannao", **TILE)]


class Translation(nn.Module):
    """The look-up of rows: how well head + relation = tail."""

    def __init__(self, entities: int, relations: int) -> None:
        super().__init__()
        self.entity, self.relation = nn.Embedding(entities, WIDTH), nn.Embedding(relations, WIDTH)

    def forward(self, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        return -(self.entity(head) + self.relation(relation) - self.entity(tail)).square().sum(-1)

    def loss(self, triples: Tensor) -> Tensor:
        head, relation, tail = triples.T
        everyone = torch.arange(self.entity.num_embeddings)
        return F.cross_entropy(self(head[:, None], relation[:, None], everyone), tail)


class OneHot(Translation):
    """The same as a linear layer whose input is one-hot."""

    def forward(self, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        entities, relations = self.entity.weight, self.relation.weight
        head, tail = (F.one_hot(one, len(entities)).to(entities.dtype) @ entities for one in (head, tail))
        return -(head + F.one_hot(relation, len(relations)).to(entities.dtype) @ relations - tail).square().sum(-1)


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    book = nx.les_miserables_graph()
    number = {name: place for place, name in enumerate(book)}
    met = [(number[one], int(weight > 1), number[other]) for one, other, weight in book.edges(data="weight")]
    triples = torch.tensor([triple for one, how, other in met for triple in ((one, how, other), (other, how, one))])
    held_out = torch.arange(len(triples)) // 2 % 5 == 4  # every fifth pair, in both directions
    model = Translation(len(book), 2)
    train(model, model.loss, triples[~held_out], epochs=30, rate=3e-2)
    head, relation, tail = triples[held_out].T
    scores = model(head[:, None], relation[:, None], torch.arange(len(book)))
    ranks = (scores > scores.gather(1, tail[:, None])).sum(1)
    hits = (ranks < 10).float().mean()
    print(f"Of {len(ranks)} triples not trained on, {hits:.0%} have the tail among the first 10 of {len(book)}.\n")

    rows, ticks, judged = [], {}, []
    for size in SIZES:
        samples = triples[held_out][: 50 if size == len(book) else 5]  # the size of the table is all that changes later on
        for kind, name in ((Translation, "look-up"), (OneHot, "one-hot")):
            larger = kind(size, 2)  # the same entities, and others that no triple names
            larger.relation, larger.entity.weight[: len(book)] = model.relation, model.entity.weight
            runs = [eventnet.simulate(larger, *one[:, None], machine=MACHINES, progress=False) for one in samples]
            for machine, of_machine in zip(MACHINES, zip(*runs, strict=True), strict=True):
                label, energy = f"{name} on {machine.name}", total(of_machine, "chip_pj") / len(runs) / 1e3
                ticks.setdefault(label, []).append(total(of_machine, "ticks") / len(runs))
                rows.append((label, size, f"{ticks[label][-1]:,.0f}", f"{energy:,.1f}"))
                judged += of_machine
    table(("query of a triple", "rows", "mean ticks", "mean energy, nJ"), rows)
    statistics(judged)

    gain = ticks["one-hot on dadiannao"][-1] / ticks["look-up on cnvlutin"][-1]
    with picture("08_graph_embedding.png", f"Graph embedding: {SIZES[-1]:,} rows, {gain:.0f} times fewer ticks") as axis:
        for label, numbers in ticks.items():
            axis.loglog(SIZES, numbers, "o--" if "dadiannao" in label else "o-", label=label)
        axis.set(xlabel="rows of the table", ylabel="ticks of a query, mean")
        axis.legend()
    print(f"Conclusion: a look-up costs the same in any table; of {SIZES[-1]:,} rows, {gain:.0f} times fewer ticks than dense.")


if __name__ == "__main__":
    main()
