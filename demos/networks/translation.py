"""Translations of a knowledge base, as look-ups of rows and as products of one-hot inputs."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 16


class Translation(nn.Module):
    """A. Bordes et al., "Translating embeddings for modeling multi-relational data", NIPS 2013: head + relation = tail."""

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
    """The same as a product of one-hot inputs."""

    def forward(self, *triple: Tensor) -> Tensor:
        tables = [self.entity.weight, self.relation.weight, self.entity.weight]
        head, relation, tail = (F.one_hot(one, len(rows)).float() @ rows for one, rows in zip(triple, tables, strict=True))
        return -(head + relation - tail).square().sum(-1)
