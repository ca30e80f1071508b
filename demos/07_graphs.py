"""Graphs: convolution and attention on graphs whose shape changes per sample: a real one, the karate club, and a mesh.

What to see: a node's work is its neighbours. The sparse adjacency makes an event of each edge, so a node of a high degree takes
many and one of a low degree few; no machine pads the neighbourhoods. Samples are each member of Zachary's club with its friends
(networkx), to tell which of the later clubs it joined, and triangulated random points (generated), to tell which lie inside.
"""

from collections import Counter, defaultdict

import torch
from data import Graph, members, meshes
from networks.graphs import Attention, Convolution, Network
from showing import picture, statistics, table, total
from torch import Tensor, nn
from torch.nn import functional as F
from training import fit

import eventnet
import hwmodel

MACHINE = hwmodel.load("cnvlutin", units=1, lanes=4, brick=4, vector_lanes=16, skip_fully_connected=True)  # a small tile


COUNTED = ("events", "macs", "ticks")  # an event is an edge, or one of the 16 numbers that come along it


def study(layer: type[nn.Module], graphs: list[Graph], steps: int) -> tuple[nn.Module, float]:
    """Train on every second graph, one a step; return the network and its accuracy on the others."""
    network, known, unseen = Network(layer, graphs[0].features.shape[1]), graphs[::2], graphs[1::2]

    def loss(step: int) -> Tensor:
        graph = known[step % len(known)]
        return F.cross_entropy(network(graph.features.double(), graph.edges)[: len(graph.labels)], graph.labels)

    fit(network, loss, steps, rate=1e-2)
    right = [network(one.features, one.edges).argmax(1)[: len(one.labels)] == one.labels for one in unseen]
    return network, float(torch.cat(right).float().mean())


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    rows, every, degrees = [], [], defaultdict(Counter)
    for name, graphs in (("karate club", members()), ("mesh", meshes(26))):
        for layer in (Convolution, Attention):
            network, right = study(layer, graphs, steps=300)
            runs = [eventnet.simulate(network, one.features, one.edges, machine=MACHINE, progress=False) for one in graphs]
            sizes = [len(one.features) for one in graphs]
            ticks = f"{total(runs, 'ticks') / sum(sizes):.0f}"
            rows.append((f"{layer.__name__} on the {name}", f"{right:.1%}", f"{min(sizes)} to {max(sizes)}", ticks))
            every += runs
            for run, graph in zip(runs, graphs, strict=True) if layer is Convolution else ():
                of_nodes = graph.edges[0].bincount()  # nodes with as many neighbours are one task, the fewest first
                tasks = [record for record in run.records if record.name == "first" and record.op == "matmul"]
                for degree, task in zip(of_nodes.unique().tolist(), tasks, strict=True):
                    nodes = int((of_nodes == degree).sum())
                    degrees[degree].update(nodes=nodes, events=task.events, macs=task.macs, ticks=task.ticks)
    table(("one tile of Cnvlutin", "accuracy", "nodes", "ticks a node"), rows)
    of_each = [[degree, *(of[what] / of["nodes"] for what in COUNTED)] for degree, of in sorted(degrees.items())]
    rows = [(degree, degrees[degree]["nodes"], *(f"{one:.1f}" for one in counts)) for degree, *counts in of_each]
    table(("neighbours, itself included", "nodes", *(f"{what} a node" for what in COUNTED)), rows)
    statistics(every)

    nodes, neighbours = sum(of["nodes"] for of in degrees.values()), sum(d * of["nodes"] for d, of in degrees.items())
    padded = max(degrees) * nodes / neighbours
    with picture("07_graphs.png", f"Graphs: padded neighbourhoods make {padded:.1f} times the events") as axis:
        axis.plot([one[0] for one in of_each], [one[1] for one in of_each], "o-")
        axis.set(xlabel="neighbours of a node, itself included", ylabel="events for each node, first layer")
    print(f"Conclusion: events follow a node's neighbours; padded to the most neighbours they are {padded:.1f} times as many.")


if __name__ == "__main__":
    main()
