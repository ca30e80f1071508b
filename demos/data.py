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
Tree = tuple | Tensor  # (operations, left, right), or leaves; with an entry for each expression of the same shape


def digits(size: int, flat: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return training images and labels, then held-out ones: (N, 1, size, size) in [0, 1], or (N, size * size) if flat."""
    train_images, train_labels, test_images, test_labels = models.digits()
    smaller = [F.adaptive_avg_pool2d(images, size) for images in (train_images, test_images)]
    train_images, test_images = [images.flatten(1) if flat else images for images in smaller]
    return train_images, train_labels, test_images, test_labels


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


def meshes(count: int) -> list[Graph]:
    """Triangulate random points, 12 to 40 of them, labelled by whether they lie near the centre; generated."""
    draw = np.random.default_rng(0)
    graphs = []
    for points in (draw.random((draw.integers(12, 41), 2)) for _ in range(count)):
        triangles = Delaunay(points)
        graph = nx.Graph()
        graph.add_nodes_from(range(len(points)))
        for corners in triangles.simplices:
            nx.add_cycle(graph, corners.tolist())
        centred = torch.from_numpy(points).float() - 0.5
        inside = centred.norm(dim=1) < 0.35
        graphs.append(Graph.of(graph, torch.cat([centred, 4 * centred.square()], 1), inside.long().tolist()))
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


def in_three(size: int, flat: bool = False) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return digits to train on, digits to choose by (every fifth of the training ones), and held-out ones, with labels."""
    images, labels, test_images, test_labels = digits(size, flat)
    chosen_by = torch.arange(len(labels)) % 5 == 4
    return (images[~chosen_by], labels[~chosen_by]), (images[chosen_by], labels[chosen_by]), (test_images, test_labels)
