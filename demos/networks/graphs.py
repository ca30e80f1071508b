"""Layers on graphs: of convolution and of attention, with one head, a network of two of them, and its training."""

import torch
from data import Graph
from torch import Tensor, nn
from torch.nn import functional as F
from training import fit


class Convolution(nn.Module):
    """T. Kipf, M. Welling, "Semi-supervised classification with graph convolutional networks", ICLR 2017."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        to, of = edges
        scale = to.bincount().to(features.dtype).rsqrt()
        adjacency = torch.sparse_coo_tensor(edges, scale[to] * scale[of], 2 * (len(features),), check_invariants=False)
        return adjacency @ self.linear(features)


class Attention(nn.Module):
    """P. Velickovic et al., "Graph attention networks", ICLR 2018, with one head."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear, self.receives, self.sends = nn.Linear(inputs, outputs), nn.Linear(outputs, 1), nn.Linear(outputs, 1)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        to, of = edges
        sent = self.linear(features)
        scores = F.leaky_relu(self.receives(sent)[to] + self.sends(sent)[of], 0.2).exp()
        shares = scores / torch.zeros_like(sent[:, :1]).index_add(0, to, scores)[to]
        return torch.zeros_like(sent).index_add(0, to, shares * sent[of])


class Network(nn.Module):
    def __init__(self, layer: type[nn.Module], inputs: int) -> None:
        super().__init__()
        self.first, self.second = layer(inputs, 16), layer(16, 2)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        return self.second(F.relu(self.first(features, edges)), edges)


def trained(layer: type[nn.Module], known: list[Graph]) -> nn.Module:
    """Train on one graph a step. Rate and steps were chosen on meshes, other ones; the club is too small to choose on."""
    network = Network(layer, known[0].features.shape[1])

    def loss(step: int) -> Tensor:
        graph = known[step % len(known)]
        return F.cross_entropy(network(graph.features.double(), graph.edges)[: len(graph.labels)], graph.labels)

    fit(network, loss, steps=300, rate=1e-2)
    return network
