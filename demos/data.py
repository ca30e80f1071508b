"""The data of the demos: scikit-learn's handwritten digits, networkx's graphs, and what is generated."""

import random
from dataclasses import dataclass

import networkx as nx
import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor
from torch.nn import functional as F

from eventnet import models

VALUES = 5
OPERATIONS = (torch.maximum, torch.minimum, lambda left, right: (left + right) % VALUES)
Part = tuple[Tensor, Tensor]  # samples and their labels
Tree = tuple | Tensor  # (operations, left, right), or leaves; with an entry for each expression of the same shape


HELD_BACK_EVERY = 6


def digits(size: int, flat: bool = False) -> tuple[Part, Part, Part]:
    """Return digits to train on (1,205), to choose on (355) and to report on (237), each as images and labels.

    Images are (N, 1, size, size) in [0, 1], or (N, size * size) if flat. What is chosen, by a demo or by its author, is chosen
    on the second part, which is what `models.digits` holds out. The third is every sixth sample of each digit among the others:
    nothing is trained or chosen on it.
    """
    images, labels, choose_images, choose_labels = models.digits()
    held_back = torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(10):
        held_back[(labels == digit).nonzero()[HELD_BACK_EVERY - 1 :: HELD_BACK_EVERY, 0]] = True
    parts = (images[~held_back], labels[~held_back]), (choose_images, choose_labels), (images[held_back], labels[held_back])
    smaller = [(F.adaptive_avg_pool2d(images, size), labels) for images, labels in parts]
    train, choose, report = [(images.flatten(1) if flat else images, labels) for images, labels in smaller]
    return train, choose, report


def expression(leaves: int, copies: int) -> tuple[Tree, Tensor]:
    """Generate expressions of one random shape, with random operations and leaves, and their values."""
    if leaves == 1:
        values = torch.randint(VALUES, (copies,))
        return values, values
    split = random.randint(1, leaves - 1)
    (left, first), (right, second) = expression(split, copies), expression(leaves - split, copies)
    chosen = torch.randint(len(OPERATIONS), (copies,))
    results = torch.stack([operation(first, second) for operation in OPERATIONS])
    return (chosen, left, right), results.gather(0, chosen[None])[0]


@dataclass(frozen=True)
class Graph:
    """Features of nodes (nodes, F), edges (2, E) in both directions and to oneself, a label for each of the first nodes."""

    features: Tensor
    edges: Tensor
    labels: Tensor

    @staticmethod
    def of(graph: nx.Graph, features: Tensor, labels: list[int]) -> "Graph":
        """Number the nodes of a networkx graph and list its edges."""
        number = {node: place for place, node in enumerate(graph)}
        pairs = [(number[one], number[other]) for one, other in graph.edges]
        pairs += [(other, one) for one, other in pairs] + [(place, place) for place in number.values()]
        return Graph(features, torch.tensor(sorted(set(pairs))).T, torch.tensor(labels))


def members() -> list[Graph]:
    """Return the friends of each member of Zachary's karate club (networkx), the member first, labelled by the later club."""
    club = nx.karate_club_graph()
    graphs = []
    for member in club:
        friends = club.subgraph(nx.ego_graph(club, member)).copy()
        ordered = nx.Graph()
        ordered.add_nodes_from([member, *(one for one in friends if one != member)])
        ordered.add_edges_from(friends.edges)
        label = int(club.nodes[member]["club"] == "Officer")
        graphs.append(Graph.of(ordered, torch.eye(len(club))[list(ordered)], [label]))
    return graphs


def meshes(count: int, seed: int) -> list[Graph]:
    """Triangulate random points, 12 to 40 of them, labelled by the side of a line that they lie on; generated.

    Each point reads 1 on the one side and -1 on the other, and noise of deviation 1 with it.
    """
    draw = np.random.default_rng(seed)
    graphs = []
    for points in (draw.random((draw.integers(12, 41), 2)) for _ in range(count)):
        graph = nx.Graph()
        graph.add_nodes_from(range(len(points)))
        for corners in Delaunay(points).simplices:
            nx.add_cycle(graph, corners.tolist())
        angle = np.pi * draw.random()
        beyond = (points - 0.5) @ (np.cos(angle), np.sin(angle)) > 0
        readings = torch.from_numpy(np.where(beyond, 1.0, -1.0) + draw.normal(size=len(points))).float()
        graphs.append(Graph.of(graph, torch.stack([readings, torch.ones_like(readings)], 1), beyond.astype(int).tolist()))
    return graphs


PEOPLE, PLACES = 12, 8


def stories(count: int, facts: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Generate who went where, both (count, facts), who is asked for, (count,), and the place where that one went last."""
    people, places = torch.randint(PEOPLE, (count, facts)), torch.randint(PLACES, (count, facts))
    asked = people.gather(1, torch.randint(facts, (count, 1)))
    last = torch.where(people == asked, torch.arange(facts), -1).argmax(1, keepdim=True)
    return people, places, asked[:, 0], places.gather(1, last)[:, 0]


def knowledge() -> tuple[int, Tensor]:
    """Return who meets whom in Les Miserables (networkx): how many people, and triples (N, 3) of person, how, person.

    A relation is 0 for those who meet in one chapter and 1 for those who do in several; each pair is there in both directions.
    """
    book = nx.les_miserables_graph()
    number = {name: place for place, name in enumerate(book)}
    met = [(number[one], int(weight > 1), number[other]) for one, other, weight in book.edges(data="weight")]
    return len(book), torch.tensor([triple for one, how, other in met for triple in ((one, how, other), (other, how, one))])


def broken(images: Tensor) -> Tensor:
    """Let a row and a column of the sensor be white, whatever it sees."""
    images = images.view(-1, 8, 8).clone()
    images[:, 5], images[:, :, 3] = 1, 1
    return images.flatten(1)
