import pytest
import torch
from torch import nn
from torch.nn import functional as F

from eventnet.models.calibration.producers import watch


class Between(nn.Module):
    """Two convolutions with something in between."""

    def __init__(self, between):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.between = between

    def forward(self, x):
        return self.second(self.between(self.first(x)))


def relu_in_place_of_a_view(x):
    x.flatten().relu_()
    return x


def written_out(x):
    out = torch.empty_like(x)
    torch.clamp(x.detach(), min=0, out=out)
    return out


def written_without_a_result(x):
    out = torch.empty_like(x)
    torch._foreach_copy_([out], [x.detach()])
    return out


def assigned(x):
    padded = torch.zeros(1, 4, 24, 24)
    padded[:, :, 2:-2, 2:-2] = x
    return padded


BETWEEN = {
    "nothing": lambda x: x,
    "relu": F.relu,
    "relu in place": torch.relu_,
    "relu in place of a view": relu_in_place_of_a_view,
    "an operator with out=": written_out,
    "an operator that returns nothing": written_without_a_result,
    "an assignment": assigned,
    "max pooling": nn.MaxPool2d(3, stride=1, padding=1),
    "average pooling": nn.AvgPool2d(2),
    "local response normalisation": nn.LocalResponseNorm(3),
    "batch normalisation": nn.BatchNorm2d(4).eval(),
    "dropout": nn.Dropout(0.5).eval(),
    "views": lambda x: x.permute(0, 2, 3, 1).contiguous().view(1, 20, 20, 4).permute(0, 3, 1, 2),
    "chunks put together": lambda x: torch.cat(x.chunk(2, dim=1)[::-1], dim=1),
    "a copy": lambda x: x.clone().detach(),
    "a gate": lambda x: torch.where(x > 0, x, torch.zeros(())),
    "an upsampling": nn.Upsample(scale_factor=2),
}


@pytest.mark.parametrize("case", BETWEEN)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_layer_is_fed_by_the_one_before_it_through(case, mode, picture):
    model = Between(BETWEEN[case])
    with mode():
        first, second = watch(model, picture)
    assert (first.name, first.producers) == ("first", ())
    assert (second.name, second.producers) == ("second", ("first",))


def test_what_reaches_through_another_layer_is_not_a_producer(picture):
    layers = watch(nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(3)]), picture)
    assert [layer.producers for layer in layers] == [(), ("0",), ("1",)]


def test_layers_come_in_the_order_of_their_first_calls(picture):
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.unused = (nn.Conv2d(3, 3, 1) for _ in range(3))

        def forward(self, x):
            return self.a(self.b(x))

    assert [layer.name for layer in watch(Backwards(), picture)] == ["b", "a"]


def test_a_sum_is_fed_by_both_terms_and_a_skip_by_what_it_skips(picture):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.branch, self.last = (nn.Conv2d(3, 3, 1) for _ in range(3))

        def forward(self, x):
            x = self.stem(x).relu()
            return self.last((x + self.branch(x)).relu())

    producers = {layer.name: layer.producers for layer in watch(Residual(), picture)}
    assert producers == {"stem": (), "branch": ("stem",), "last": ("stem", "branch")}


def test_a_layer_that_reads_the_input_beside_another_output_has_a_producer(picture):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 2, 1), nn.Conv2d(5, 2, 1)

        def forward(self, x):
            return self.second(torch.cat([x, self.first(x)], dim=1))

    assert [layer.producers for layer in watch(Mixed(), picture)] == [(), ("first",)]


def test_a_layer_that_is_called_again_feeds_itself(picture):
    shared = nn.Conv2d(3, 3, 1)
    (layer,) = watch(nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), shared), picture)
    assert (layer.name, layer.producers, layer.calls) == ("0", ("0",), 3)


def test_an_input_given_by_name_is_seen(picture):
    class ByName(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.second(input=self.first(input=x))

    assert [layer.producers for layer in watch(ByName(), picture)] == [(), ("first",)]


def test_a_freed_tensor_does_not_pass_its_producers_on(picture):
    class Fresh(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            for _ in range(20):
                self.first(x)
            return self.second(sum(torch.empty(1, 3, 20, 20).fill_(0) for _ in range(20)))

    assert [layer.producers for layer in watch(Fresh(), picture)] == [(), ()]


def test_a_tensor_made_in_the_likeness_of_an_output_has_nothing_of_it(picture):
    class Likeness(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            x = self.first(x)
            return self.second(torch.zeros_like(x) + x.new_zeros(x.shape))

    assert [layer.producers for layer in watch(Likeness(), picture)] == [(), ()]


def test_a_sparse_operand_is_followed(picture):
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            neighbours = torch.eye(5).to_sparse()
            return self.second(torch.sparse.mm(neighbours, self.first(x)))

    assert [layer.producers for layer in watch(Graph(), torch.randn(5, 4))] == [(), ("first",)]


def test_no_hook_stays_behind_even_if_the_model_fails(picture):
    def fail(x):
        raise RuntimeError("the model's own error")

    model = Between(fail)
    with pytest.raises(RuntimeError, match=r"^the model's own error$"):
        watch(model, picture)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
