import pytest
import torch
from torch import nn

from eventnet.models.calibration.operands import OperandCount
from eventnet.models.calibration.producers import watch
from eventnet.models.calibration.shifts import OutputQuantiles
from eventnet.models.calibration.trial import run_trial


@pytest.fixture
def network():
    """Return a layer that gives 1, 2, 3 and 4, one that reads them, and one that must not be reached."""
    first, second, third = nn.Linear(1, 4), nn.Linear(4, 1), nn.Linear(1, 1)
    with torch.no_grad():
        first.weight.copy_(torch.arange(1.0, 5).view(4, 1))
        first.bias.zero_()
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third).requires_grad_(False)


X = torch.ones(1, 1)


def test_without_shifts_operands_are_counted_as_they_are(network):
    layers = watch(network, X)
    assert run_trial(network, X, layers[1:2]).counts == {"2": OperandCount(0, 4, 4)}


def test_outputs_are_shifted_and_the_thresholds_told(network):
    layers = watch(network, X)
    trial = run_trial(network, X, layers[1:2], [OutputQuantiles(layers[0])], share=0.5)
    assert trial.counts == {"2": OperandCount(2, 4, 4)}
    assert trial.thresholds["0"].tolist() == [2.5]


def test_a_trial_changes_no_bias(network):
    layers = watch(network, X)
    run_trial(network, X, layers[1:2], [OutputQuantiles(layers[0])], share=0.5)
    assert network[0].bias.tolist() == [0, 0, 0, 0]


def test_a_run_ends_at_the_last_layer_that_is_counted(network):
    layers = watch(network, X)
    reached = []
    network[2].register_forward_hook(lambda *call: reached.append("2"))
    run_trial(network, X, layers[1:2])
    assert reached == []
    run_trial(network, X, layers[2:])
    assert reached == ["2"]


def test_a_model_that_catches_exceptions_is_left_all_the_same():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(1, 1), nn.Linear(1, 1)
            self.caught = False

        def forward(self, x):
            try:
                return self.second(self.first(x))
            except Exception:
                self.caught = True
                raise

    model = Careful()
    run_trial(model, X, watch(model, X)[1:])
    assert not model.caught


def test_all_calls_of_a_layer_are_counted():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), shared)
    (layer,) = watch(model, torch.zeros(1, 2))
    assert run_trial(model, torch.zeros(1, 2), [layer]).counts["0"].total == 6


def test_a_layer_that_is_called_again_keeps_the_shift_of_its_first_call():
    double = nn.Linear(1, 1)
    nn.init.constant_(double.weight, 2.0)
    nn.init.zeros_(double.bias)
    model = nn.Sequential(double, double, nn.Linear(1, 1))
    layers = watch(model, X)
    seen = []
    model[2].register_forward_pre_hook(lambda module, args: seen.append(args[0].item()))
    run_trial(model, X, layers[1:], [OutputQuantiles(layers[0])], share=0.0)
    # The one output of 2 is spread over nothing, so its threshold is 2 itself, and the second call gives 2 * 0 - 2.
    assert seen == [-2]


def test_a_shift_comes_before_the_hooks_of_others(network):
    layers = watch(network, X)
    seen = []
    network[0].register_forward_hook(lambda module, args, output: seen.append(output.tolist()))
    run_trial(network, X, layers[1:2], [OutputQuantiles(layers[0])], share=0.5)
    assert seen == [[[-1.5, -0.5, 0.5, 1.5]]]


def test_every_trial_draws_the_same_random_numbers_and_leaves_their_state_alone():
    model = nn.Sequential(nn.Linear(1, 50), nn.Dropout(0.5), nn.Linear(50, 1))
    layers = watch(model, X)
    before = torch.get_rng_state()
    first, again = run_trial(model, X, layers[1:]), run_trial(model, X, layers[1:])
    assert first.counts == again.counts
    assert first.counts["2"].zeros > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_no_hook_stays_behind(network):
    layers = watch(network, X)
    run_trial(network, X, layers[1:2], [OutputQuantiles(layers[0])], share=0.5)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
