"""Graph networks of torch_geometric, which nobody here wrote, on small random graphs."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

import eventnet

pytest.importorskip("torch_geometric", reason="torch_geometric is not installed; make test-libraries installs it")

from torch_geometric import nn as graphs
from torch_geometric.data import Data

NODES, EDGES, WIDTH = 10, 30, 16


class Stack(nn.Module):
    """Convolutions on a graph, one after the other, with rectifiers between them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x, edge_index, edge_weight=None):
        more = () if edge_weight is None else (edge_weight,)
        for number, layer in enumerate(self.layers):
            x = layer(torch.relu(x) if number else x, edge_index, *more)
        return x


class Readout(Stack):
    """The same, and what the nodes of one graph have in common."""

    def forward(self, x, edge_index, batch=None):
        x = super().forward(x, edge_index)
        poolings = graphs.global_mean_pool, graphs.global_max_pool, graphs.global_add_pool
        return torch.cat([pool(x, batch) for pool in poolings], dim=-1)


class OfTwoKinds(nn.Module):
    """Nodes of two kinds and edges of three, one of them weighted."""

    def __init__(self) -> None:
        super().__init__()
        kinds = {
            ("paper", "by", "author"): graphs.SAGEConv((WIDTH, WIDTH), 8),
            ("author", "of", "paper"): graphs.GATConv((WIDTH, WIDTH), 8, add_self_loops=False),
            ("paper", "cites", "paper"): graphs.GCNConv(WIDTH, 8),
        }
        self.layer = graphs.HeteroConv(kinds)

    def forward(self, x, edge_index, edge_weight):
        to_authors = torch.stack([edge_index[0], edge_index[1] % 6])
        edges = {
            ("paper", "by", "author"): to_authors,
            ("author", "of", "paper"): to_authors.flip(0),
            ("paper", "cites", "paper"): edge_index,
        }
        nodes = self.layer({"paper": x, "author": x[:6]}, edges, edge_weight_dict={("paper", "cites", "paper"): edge_weight})
        return nodes["paper"], nodes["author"]


class TopHalf(nn.Module):
    """A network that keeps the nodes that score best: what flows decides what is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.pool = graphs.GCNConv(WIDTH, WIDTH), graphs.TopKPooling(WIDTH, ratio=0.5)
        self.classifier = nn.Linear(WIDTH, 5)

    def forward(self, x, edge_index):
        x, _, _, batch, _, _ = self.pool(torch.relu(self.layer(x, edge_index)), edge_index)
        return self.classifier(graphs.global_mean_pool(x, batch))


class OnData(Stack):
    """A network that takes a graph as one object, as the examples of the library do."""

    def forward(self, data):
        return super().forward(data.x, data.edge_index)


def perceptron(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs))


NETWORKS = {
    "GCN": lambda: Stack(graphs.GCNConv(WIDTH, 32), graphs.GCNConv(32, 5)),
    "GCN, weighted edges": lambda: Stack(graphs.GCNConv(WIDTH, 32), graphs.GCNConv(32, 5)),
    "GCN, readout": lambda: Readout(graphs.GCNConv(WIDTH, 32), graphs.GCNConv(32, 5)),
    "GCN, batch of one": lambda: Readout(graphs.GCNConv(WIDTH, 32), graphs.GCNConv(32, 5)),
    "GCN, batch norm": lambda: graphs.models.GCN(WIDTH, 32, 2, 5, jk="cat", norm="batch_norm"),
    "GAT": lambda: Stack(graphs.GATConv(WIDTH, 8, heads=4), graphs.GATConv(32, 5)),
    "GAT, dropout": lambda: graphs.models.GAT(WIDTH, 32, 2, 5, heads=4, dropout=0.2),
    "GATv2": lambda: Stack(graphs.GATv2Conv(WIDTH, 8, heads=4), graphs.GATv2Conv(32, 5)),
    "GraphSAGE": lambda: Stack(graphs.SAGEConv(WIDTH, 32), graphs.SAGEConv(32, 5, aggr="max")),
    "GIN": lambda: Stack(graphs.GINConv(perceptron(WIDTH, 32)), graphs.GINConv(nn.Linear(32, 5), train_eps=True)),
    "transformer": lambda: Stack(graphs.TransformerConv(WIDTH, 8, heads=2), graphs.TransformerConv(16, 5)),
    "edges": lambda: Stack(graphs.EdgeConv(perceptron(2 * WIDTH, WIDTH)), graphs.EdgeConv(nn.Linear(2 * WIDTH, 5))),
    "Chebyshev": lambda: Stack(graphs.ChebConv(WIDTH, 8, K=3), graphs.ChebConv(8, 5, K=2)),
    "two kinds of nodes": OfTwoKinds,
    "top half": TopHalf,
    "one object": lambda: OnData(graphs.GCNConv(WIDTH, 32), graphs.GCNConv(32, 5)),
}

every_network = pytest.mark.parametrize("name", NETWORKS)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])


def make(name: str, dtype: torch.dtype = torch.float32):
    torch.manual_seed(0)
    model = NETWORKS[name]().to(dtype)
    x = torch.randn(NODES, WIDTH).relu().to(dtype)
    edge_index = torch.randint(0, NODES, (2, EDGES))
    inputs = {"x": x, "edge_index": edge_index}
    if name in ("GCN, weighted edges", "two kinds of nodes"):
        inputs["edge_weight"] = torch.rand(EDGES).to(dtype)
    if name == "GCN, batch of one":
        inputs["batch"] = torch.zeros(NODES, dtype=torch.long)
    return model, {"data": Data(**inputs)} if name == "one object" else inputs


@every_network
@every_dtype
@pytest.mark.parametrize("grad_mode", [torch.no_grad, torch.inference_mode])
def test_a_forward_is_followed(follows: Callable, name, dtype, grad_mode):
    follows(*make(name, dtype), grad_mode)


@every_network
@every_dtype
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_a_backward_is_followed(follows_backward: Callable, name, dtype, train):
    follows_backward(*make(name, dtype), train)


def test_zeros_between_layers_are_events_not_sent():
    """The products of a graph convolution are those of its linear layer: nodes by width, whatever the edges."""
    model, inputs = make("GCN")
    with torch.no_grad():
        run = eventnet.simulate(model, kwargs=inputs, baseline="dadiannao", progress=False)
    first, second = run.product_records
    assert (first.macs, second.macs) == (NODES * WIDTH * 32, NODES * 32 * 5)
    assert first.events == inputs["x"].count_nonzero()
    assert second.zero_fraction > 0.2
