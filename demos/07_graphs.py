"""Graphs: convolution and attention on graphs whose shape changes per sample: a real one, the karate club, and a mesh.

What to see: a node's work is its neighbours. The sparse adjacency makes an event of each edge, so a node of a high degree takes
many and one of a low degree few; no machine pads the neighbourhoods. Samples are each member of Zachary's club with its friends
(networkx), to tell which of the later clubs it joined, and triangulated random points (generated) with a noisy reading each, to
tell which side of a line they lie on.
"""

from collections import Counter, defaultdict
from itertools import chain

import torch
from data import members, meshes
from networks.graphs import Attention, Convolution, trained
from showing import picture, share, statistics, table, total

import eventnet
import hwmodel

MACHINE = hwmodel.load("cnvlutin", units=1, lanes=4, brick=4, vector_lanes=16, skip_fully_connected=True)  # a small tile
COUNTED = ("events", "macs", "ticks")  # an event is an edge, or one of the 16 numbers that come along it


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    rows, every, degrees = [], [], {"karate club": defaultdict(Counter), "mesh": defaultdict(Counter)}
    club, unseen_meshes = members(), meshes(30, seed=3)
    halves = [(club[::2], club[1::2]), (club[1::2], club[::2])]  # each member is judged by the half that it is not in
    for name, parts in (("karate club", halves), ("mesh", [(meshes(40, seed=0), unseen_meshes)])):
        for layer in (Convolution, Attention):
            runs, right = [], []
            for known, unseen in parts:
                network = trained(layer, known)
                of_part = [
                    eventnet.simulate(network, one.features, one.edges, machine=MACHINE, progress=False) for one in unseen
                ]
                answers = [run.outputs.argmax(1)[: len(one.labels)] for run, one in zip(of_part, unseen, strict=True)]
                right += [answer == one.labels for answer, one in zip(answers, unseen, strict=True)]
                runs += of_part
            graphs = [graph for _, unseen in parts for graph in unseen]
            sizes = [len(one.features) for one in graphs]
            ticks = f"{total(runs, 'ticks') / sum(sizes):.0f}"
            rows.append((f"{layer.__name__} on the {name}", share(torch.cat(right)), f"{min(sizes)} to {max(sizes)}", ticks))
            every += runs
            for run, graph in zip(runs, graphs, strict=True) if layer is Convolution else ():
                of_nodes = graph.edges[0].bincount()  # nodes with as many neighbours are one task, the fewest first
                tasks = [record for record in run.records if record.name == "first" and record.op == "matmul"]
                for degree, task in zip(of_nodes.unique().tolist(), tasks, strict=True):
                    nodes = int((of_nodes == degree).sum())
                    degrees[name][degree].update(nodes=nodes, **{of: getattr(task, of) for of in COUNTED})
    table(("one tile of Cnvlutin", "accuracy", "nodes", "ticks a node"), rows)
    alone = torch.cat([(one.features[:, 0] > 0) == (one.labels == 1) for one in unseen_meshes])
    print(f"By its own reading alone {share(alone)} of a mesh's points are right; a member alone was never seen before.\n")
    sums = {degree: sum((of[degree] for of in degrees.values()), Counter()) for degree in sorted({*chain(*degrees.values())})}
    rows = [(degree, of["nodes"], *(f"{of[what] / of['nodes']:.1f}" for what in COUNTED)) for degree, of in sums.items()]
    table(("neighbours, itself included", "nodes", *(f"{what} a node" for what in COUNTED)), rows)
    statistics(every)

    padded = {}
    for name, of in degrees.items():
        padded[name] = (
            max(of) * sum(one["nodes"] for one in of.values()) / sum(degree * one["nodes"] for degree, one in of.items())
        )
    said = " and ".join(f"{times:.1f} times as many on the {name}" for name, times in padded.items())
    with picture("07_graphs.png", "Graphs: events follow the neighbours of a node") as axis:
        axis.plot(list(sums), [of["events"] / of["nodes"] for of in sums.values()], "o-")
        axis.set(xlabel="neighbours of a node, itself included", ylabel="events for each node, first layer")
    print(f"Conclusion: events follow a node's neighbours; padded to the most neighbours they would be {said}.")


if __name__ == "__main__":
    main()
