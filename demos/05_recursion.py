"""Recursion: a Tree-LSTM that evaluates arithmetic expressions, on generated data: no package ships expression trees.

What to see: the network calls itself along the tree of each expression, so work follows the tree, node by node; hardware that
pads every tree to the largest does the largest one's work every time. (K. Tai et al., "Improved semantic
representations from tree-structured long short-term memory networks", ACL 2015.)
"""

import random

import torch
from data import OPERATIONS, VALUES, Tree, expression
from showing import picture, share, statistics, table
from torch import Tensor, nn
from torch.nn import functional as F
from training import fit

import eventnet
import hwmodel

WIDTH, MOST_LEAVES, STEPS = 48, 8, 500
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class TreeLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leaf = nn.Embedding(VALUES, 2 * WIDTH)
        self.operation = nn.Embedding(len(OPERATIONS), 5 * WIDTH)
        self.gates = nn.Linear(2 * WIDTH, 5 * WIDTH)
        self.value = nn.Linear(WIDTH, VALUES)

    def node(self, tree: Tree) -> tuple[Tensor, Tensor]:
        if isinstance(tree, Tensor):
            state, cell = self.leaf(tree).chunk(2, dim=1)
            return state.tanh(), cell
        (left, left_cell), (right, right_cell) = self.node(tree[1]), self.node(tree[2])
        gates = self.gates(torch.cat([left, right], 1)) + self.operation(tree[0])
        write, keep_left, keep_right, show, new = gates.chunk(5, dim=1)
        cell = write.sigmoid() * new.tanh() + keep_left.sigmoid() * left_cell + keep_right.sigmoid() * right_cell
        return show.sigmoid() * cell.tanh(), cell

    def forward(self, tree: Tree) -> Tensor:
        return self.value(self.node(tree)[0])


def main() -> None:
    torch.manual_seed(0), random.seed(0)
    model = TreeLSTM()

    def loss(step: int) -> Tensor:
        tree, values = expression(random.randint(1, min(MOST_LEAVES, 2 + MOST_LEAVES * step // STEPS)), copies=64)
        return F.cross_entropy(model(tree), values)

    fit(model, loss, STEPS, rate=1.2e-2)
    torch.manual_seed(2), random.seed(2)  # choices were made with another seed; the longest are too many to meet one again
    unseen = [expression(MOST_LEAVES, copies=50) for _ in range(20)]
    right = torch.cat([model(tree).argmax(1) == values for tree, values in unseen])
    print(f"A Tree-LSTM on one tile of Cnvlutin, accuracy {share(right)} on {len(right):,} new trees of the largest size.\n")

    leaves = [2 + number % (MOST_LEAVES - 1) for number in range(49)] + [MOST_LEAVES]
    runs = [eventnet.simulate(model, expression(count, 1)[0], machine=MACHINE, progress=False) for count in leaves]
    ticks = [[run.ticks for run, of in zip(runs, leaves, strict=True) if of == count] for count in range(2, MOST_LEAVES + 1)]
    means = [sum(of_size) / len(of_size) for of_size in ticks]
    rows = [(inner, len(ticks[inner - 1]), f"{mean:,.0f}", f"{mean / inner:,.0f}") for inner, mean in enumerate(means, start=1)]
    table(("operations", "trees", "mean ticks", "ticks for each operation"), rows)
    statistics(runs)
    padded = max(map(max, ticks)) * len(runs) / sum(run.ticks for run in runs)
    with picture(
        "05_recursion.png", f"Recursion: trees padded to the largest (the line) take {padded:.2f} times the ticks"
    ) as axis:
        axis.plot([count - 1 for count in leaves], [run.ticks for run in runs], "o", alpha=0.4)
        axis.axhline(max(map(max, ticks)), color="grey")
        axis.set(xlabel="operations in the expression", ylabel="ticks", ylim=(0, None))
    print(f"Conclusion: ticks follow a tree's operations; trees of 1 to 7, all padded to 7, take {padded:.2f} times as many.")


if __name__ == "__main__":
    main()
