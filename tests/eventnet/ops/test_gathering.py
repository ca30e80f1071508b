"""Gather and scatter take what they touch, however large the tensor is that they read from or write into."""

import pytest
import torch

NODES = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
SOURCES, TARGETS = torch.tensor([0, 5, 5, 99, 7]), torch.tensor([5, 0, 7, 7, 7])
MESSAGES = 5 * 4


@pytest.mark.parametrize(
    "program",
    [
        lambda nodes: nodes[SOURCES],
        lambda nodes: nodes.index_select(0, SOURCES),
        lambda nodes: nodes.gather(0, SOURCES[:, None].expand(5, 4)),
    ],
    ids=["index", "index_select", "gather"],
)
def test_a_gather_takes_the_elements_that_it_gives(vector_work, program):
    assert vector_work(program, NODES) == [("gather", MESSAGES)]


@pytest.mark.parametrize(
    "program",
    [
        lambda messages: torch.zeros(100, 4).index_add(0, TARGETS, messages),
        lambda messages: torch.zeros(100, 4).index_add_(0, TARGETS, messages),
        lambda messages: torch.zeros(100, 4).scatter_add(0, TARGETS[:, None].expand(5, 4), messages),
        lambda messages: torch.zeros(100, 4).scatter_reduce(0, TARGETS[:, None].expand(5, 4), messages, "mean"),
        lambda messages: torch.zeros(100, 4).scatter(0, TARGETS[:, None].expand(5, 4), messages),
        lambda messages: torch.zeros(100, 4).index_put((TARGETS,), messages, accumulate=True),
        lambda messages: torch.zeros(100, 4).index_copy(0, torch.tensor([5, 0]), messages[:2]),
        lambda messages: torch.segment_reduce(messages, "sum", lengths=torch.tensor([2, 3])),
    ],
    ids=["index_add", "index_add_", "scatter_add", "scatter_reduce", "scatter", "index_put", "index_copy", "segment_reduce"],
)
def test_a_scatter_takes_the_elements_that_it_sends(vector_work, program):
    work = vector_work(program, NODES[:5])
    assert [op for op, _ in work] == ["scatter"]
    assert work[0][1] in (MESSAGES, 2 * 4)  # index_copy sends two rows


def test_the_zeros_that_are_sent_are_counted():
    import eventnet

    messages = NODES[:5].relu()
    record = eventnet.simulate(lambda sent: torch.zeros(100, 4).index_add(0, TARGETS, sent), messages).records[0]
    assert (record.activations, record.events) == (20, int((messages != 0).sum()))


def test_backward_of_a_gather_scatters(vector_backward):
    assert [op for op, _ in vector_backward(lambda nodes: nodes.index_select(0, SOURCES), NODES)] == ["scatter"]
    assert vector_backward(lambda nodes: nodes[SOURCES], NODES) == [("scatter", MESSAGES)]
