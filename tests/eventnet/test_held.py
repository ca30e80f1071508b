"""Tensors are found wherever an argument holds them, and an object that holds some is an input like a tensor."""

from collections import UserDict
from types import SimpleNamespace

import torch
from torch import nn

import eventnet
from eventnet.held import tensors_in


def test_tensors_are_found_in_containers_and_objects_each_once_and_in_order():
    one, two, three = (torch.ones(size) for size in (1, 2, 3))
    graph = SimpleNamespace(features=two, name="graph", parts=UserDict(last=three))
    graph.itself = graph
    assert [len(tensor) for tensor in tensors_in(([one], {"graph": graph}, one))] == [1, 2, 3]


def test_modules_and_classes_hold_no_inputs():
    class Holder:
        default = torch.ones(1)

    assert tensors_in([nn.Linear(2, 2), Holder, Holder(), torch, "text", None]) == []


class Reads(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(2, 3, 1)

    def forward(self, graph):
        return self.layer(graph.features)


def test_what_an_object_brings_is_watched_and_the_first_layer_reads_it():
    graph = SimpleNamespace(features=torch.ones(1, 2, 4))
    model = Reads()
    run = eventnet.simulate(model, graph)
    with eventnet.watch() as watcher:
        model(graph)
    for one in (run, watcher.run):
        assert one.unwatched == 0
        assert one.timed_records[0].first_layer


def test_keyword_arguments_of_a_watched_module_are_its_inputs():
    model, value = nn.Conv1d(2, 3, 1), torch.ones(1, 2, 4)
    with eventnet.watch(strict=True) as watcher:
        model(input=value)
    assert watcher.run.unwatched == 0
    assert watcher.run.timed_records[0].first_layer


class Appends(nn.Module):
    def forward(self, value, cache):
        cache.kept = torch.cat([cache.kept, value])
        return cache.kept @ value.T


def test_a_program_that_fills_a_cache_runs_twice_from_the_same_cache():
    value = torch.ones(1, 3, requires_grad=True)
    cache = SimpleNamespace(kept=(value * 2).square())
    run = eventnet.simulate(Appends(), value, cache)
    assert run.outputs.shape == (2, 1)
    assert cache.kept.shape == (2, 3)
    assert run.difference.maximum == 0


def test_an_object_that_cannot_be_copied_is_handed_on_as_it_is():
    graph = SimpleNamespace(features=torch.ones(1, 2, 4), stream=(one for one in "ab"))
    assert eventnet.simulate(Reads(), graph).agreement
