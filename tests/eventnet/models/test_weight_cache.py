from pathlib import Path

import numpy as np
import pytest
import torch

from eventnet import models
from eventnet.models import weight_cache

FILE = "network.npz"


@pytest.fixture
def kept(cache_folder):
    """A network whose weights are in the cache."""
    model = models.load("lenet300", seed=1)
    weight_cache.write(FILE, model)
    return model


def is_same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_what_is_written_is_read(kept):
    model = models.load("lenet300", seed=2)
    assert weight_cache.read(FILE, model)
    assert is_same(model, kept)


def test_the_folder_holds_nothing_but_the_file(kept, cache_folder):
    assert [path.name for path in cache_folder.iterdir()] == [FILE]


def test_a_missing_file_is_not_read():
    assert not weight_cache.read(FILE, models.load("lenet300"))


def test_weights_can_be_read_without_pickle(kept, cache_folder):
    with np.load(cache_folder / FILE, allow_pickle=False) as file:
        assert sorted(file.files) == sorted(kept.state_dict())


@pytest.mark.parametrize("length", [0, 10, 5000])
def test_a_file_that_is_cut_short_is_not_read(kept, cache_folder, length):
    path = cache_folder / FILE
    path.write_bytes(path.read_bytes()[:length])
    assert_is_left_alone()


def test_a_file_with_a_changed_byte_is_never_read_wrongly(kept, cache_folder):
    content = (cache_folder / FILE).read_bytes()
    refused = 0
    for place in [*range(0, 300, 13), *range(len(content) - 600, len(content), 29)]:
        changed = bytearray(content)
        changed[place] ^= 255
        (cache_folder / FILE).write_bytes(changed)
        model = models.load("lenet300", seed=3)
        if weight_cache.read(FILE, model):  # the byte was a date or the like
            assert is_same(model, kept)
        else:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize(
    "arrays",
    [
        {"other": np.zeros(3, np.float32)},
        {"fc1.weight": np.zeros((3, 3), np.float32)},
        {"fc1.weight": np.array(["text"])},
        {"fc1.weight": np.array([{}], dtype=object)},
        {"fc1.bias": np.full(300, np.nan, np.float32)},
        {"fc1.bias": np.zeros(300, np.float64)},
    ],
    ids=["another name", "another shape", "text", "pickled objects", "not finite", "another type"],
)
def test_a_file_of_something_else_is_not_read(kept, cache_folder, arrays):
    state = {name: value.numpy() for name, value in kept.state_dict().items()}
    np.savez(cache_folder / FILE, **{**state, **arrays})
    assert_is_left_alone()


def test_an_array_that_is_no_archive_is_not_read(cache_folder):
    cache_folder.mkdir(parents=True)
    with (cache_folder / FILE).open("wb") as file:
        np.save(file, np.zeros(3))
    assert_is_left_alone()


def test_a_folder_that_cannot_be_made_is_ignored(cache_folder):
    cache_folder.parent.write_text("a file where the folder should be")
    weight_cache.write(FILE, models.load("lenet300"))
    assert_is_left_alone()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(kept, cache_folder, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    weight_cache.write(FILE, models.load("lenet300", seed=2))
    model = models.load("lenet300")
    assert weight_cache.read(FILE, model)
    assert is_same(model, kept)
    assert [path.name for path in cache_folder.iterdir()] == [FILE]


def test_without_a_cache_folder_named_it_is_in_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    weight_cache.write(FILE, models.load("lenet300"))
    assert (tmp_path / ".cache" / "eventnet" / FILE).is_file()


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", fail)
    weight_cache.write(FILE, models.load("lenet300"))
    assert_is_left_alone()


def assert_is_left_alone():
    model = models.load("lenet300", seed=3)
    assert not weight_cache.read(FILE, model)
    assert is_same(model, models.load("lenet300", seed=3))
