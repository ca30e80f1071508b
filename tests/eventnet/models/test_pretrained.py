import pytest
import torch

from eventnet import models
from eventnet.models import pretrained, weight_cache
from eventnet.models.pretrained import CACHE_FILE, held_out_accuracy


@pytest.fixture
def untrainable(monkeypatch):
    """Make training fail the test, and count how often it was asked for instead."""
    asked = []
    monkeypatch.setattr(pretrained, "_train", lambda model: asked.append(model))
    return asked


def test_it_gets_at_least_97_percent_of_the_held_out_digits_right(trained):
    assert held_out_accuracy(trained.model) >= 0.97


def test_a_network_of_random_weights_does_not():
    assert held_out_accuracy(models.load("lenet5")) < 0.5


def test_training_disturbs_neither_the_random_state_nor_threads_nor_the_grad_mode(trained):
    assert trained.before == trained.after


def test_it_comes_in_eval_mode_without_gradients_of_the_training(trained):
    model = trained.model
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert not any(parameter.is_inference() for parameter in model.parameters())


def test_a_second_call_reads_the_cache(trained, untrainable):
    weight_cache.write(CACHE_FILE, trained.model)
    again = models.trained_lenet5()
    assert untrainable == []
    assert torch.equal(again.conv1.weight, trained.model.conv1.weight)


def test_the_cache_is_read_under_inference_mode_too(trained, untrainable):
    weight_cache.write(CACHE_FILE, trained.model)
    with torch.inference_mode():
        model = models.trained_lenet5()
    assert untrainable == []
    assert not model.conv1.weight.is_inference()


def test_a_cached_network_that_cannot_read_digits_is_trained_anew(untrainable):
    weight_cache.write(CACHE_FILE, models.load("lenet5", seed=5))
    model = models.trained_lenet5()
    assert len(untrainable) == 1
    assert torch.equal(model.conv1.weight, models.load("lenet5", seed=pretrained.SEED).conv1.weight)


def test_a_cache_that_cannot_be_written_does_no_harm(untrainable, cache_folder):
    cache_folder.parent.write_text("a file where the folder should be")
    models.trained_lenet5()
    assert len(untrainable) == 1


def test_training_shows_its_progress_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr(pretrained, "EPOCHS", 1)
    models.trained_lenet5()
    captured = capsys.readouterr()
    assert "training lenet5" in captured.err
    assert captured.out == ""


def test_the_file_name_counts_the_version():
    assert CACHE_FILE == "lenet5-digits-v1.npz"
