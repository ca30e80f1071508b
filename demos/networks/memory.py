"""A memory that is written and read by content, a few slots at a time."""

import torch
from data import PEOPLE, PLACES
from torch import Tensor, nn

SLOTS, WIDTH, FEW = 64, 16, 2


class Memory(nn.Module):
    def __init__(self, touched: int = FEW) -> None:
        super().__init__()
        self.touched, self.keys = touched, nn.Linear(WIDTH, SLOTS, bias=False)
        self.person, self.place = nn.Embedding(PEOPLE, WIDTH), nn.Embedding(PLACES, WIDTH)
        self.answer = nn.Linear(WIDTH, PLACES)

    def find(self, person: Tensor) -> tuple[Tensor, Tensor]:
        alike, slots = self.keys(self.person(person)).topk(self.touched, dim=1)
        return alike.softmax(1), slots

    def forward(self, people: Tensor, places: Tensor, asked: Tensor) -> Tensor:
        memory = self.answer.weight.new_zeros(len(asked), SLOTS, WIDTH)
        story = torch.arange(len(asked))[:, None]
        for person, place in zip(people.T, places.T, strict=True):
            shares, slots = self.find(person)
            old, new = memory[story, slots], self.place(place)[:, None]
            memory = memory.index_put((story, slots), old + shares[..., None] * (new - old))
        shares, slots = self.find(asked)
        return self.answer((shares[:, None] @ memory[story, slots])[:, 0])
