"""What a module holds, put back."""

import pytest
import torch
from torch import nn

from eventnet.module_state import ModuleState


def test_attributes_buffers_modules_and_containers_are_put_back():
    module = nn.Linear(3, 2)
    module.register_buffer("memory", torch.zeros(1))
    module.seen, module.count = [torch.ones(2)], 1
    weight, memory, seen, first = module.weight, module.memory, module.seen, module.seen[0]
    state = ModuleState(module)
    module.weight, module.memory, module.inner = nn.Parameter(torch.ones(1)), torch.ones(1), nn.ReLU()
    module.seen.append(torch.zeros(2))
    module.count, module.new = 2, 3
    del module.bias
    state.put_back()
    assert module.weight is weight
    assert module.memory is memory
    assert module.seen is seen
    assert seen == [first]
    assert module.count == 1
    assert module.bias.shape == (2,)
    assert list(module.children()) == []
    assert not hasattr(module, "new")


def test_hooks_stay():
    module = nn.ReLU()
    state = ModuleState(module)
    calls = []
    module.register_forward_hook(lambda *arguments: calls.append(1))
    state.put_back()
    module(torch.ones(1))
    assert calls == [1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_module_is_left_alone():
    module = torch.jit.script(nn.Linear(3, 2))
    state = ModuleState(module)
    state.put_back()
    assert module(torch.ones(1, 3)).shape == (1, 2)
