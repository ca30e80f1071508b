import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eventnet import models
from eventnet.models.photographs import FILES, IMAGENET_DEVIATION, IMAGENET_MEAN
from hwmodel.errors import DataError, ParameterError, UnknownNameError

INSTALL = "Run: pip install 'eventnet[data]'."


def colours_of(tensor):
    """Undo the normalisation."""
    return tensor * torch.tensor(IMAGENET_DEVIATION).view(3, 1, 1) + torch.tensor(IMAGENET_MEAN).view(3, 1, 1)


@pytest.fixture
def save(tmp_path):
    def pixels(array, name="picture.png", mode=None):
        Image.fromarray(np.asarray(array, dtype=np.uint8), mode).save(tmp_path / name)
        return tmp_path / name

    return pixels


@pytest.mark.parametrize("name", FILES)
def test_every_photograph_is_installed_and_normalised(name):
    photo = models.photo(name, size=32)
    assert photo.shape == (1, 3, 32, 32)
    assert photo.dtype == torch.float32
    colours = colours_of(photo)
    assert colours.min() >= -1e-6
    assert colours.max() <= 1 + 1e-6
    assert colours.std() > 0.01


def test_the_default_is_the_astronaut_at_alexnets_size():
    assert torch.equal(models.photo(), models.photo("astronaut", size=227))
    assert models.photo().shape == models.input_shape("alexnet")


def test_a_greyscale_photograph_is_repeated_to_three_channels():
    red, green, blue = colours_of(models.photo("camera", size=32))[0]
    assert torch.allclose(red, green, atol=1e-6)
    assert torch.allclose(red, blue, atol=1e-6)


def test_nothing_of_scikit_image_is_imported_so_nothing_can_be_downloaded(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in ("skimage", "pooch")]:
        monkeypatch.delitem(sys.modules, name)
    models.photo("rocket", size=8)
    assert "skimage" not in sys.modules


def test_a_photograph_is_cropped_to_its_central_square(save):
    wide = np.zeros((2, 6, 3))
    wide[:, 2:4] = 255
    assert colours_of(models.image(save(wide), size=2)).min() > 0.99


def test_shrinking_averages_instead_of_picking_pixels(save):
    lines = np.zeros((64, 64, 3))
    lines[:, ::8] = 255  # an eighth of the pixels, and none that lies in the middle of eight
    inner = colours_of(models.image(save(lines), size=8))[..., 1:-1]
    assert inner.min() > 0.1
    assert inner.max() < 0.15


def test_an_image_of_the_right_size_keeps_its_pixels(save):
    pixels = np.arange(48).reshape(4, 4, 3)
    expected = torch.tensor(pixels).permute(2, 0, 1) / 255
    assert torch.allclose(colours_of(models.image(save(pixels), size=4))[0], expected, atol=1e-6)


def test_a_grey_image_has_one_channel_from_zero_to_one(save):
    grey = models.image(save([[0, 51], [102, 255]], mode="L"), size=2, grey=True)
    assert grey.shape == (1, 1, 2, 2)
    assert torch.allclose(grey[0, 0], torch.tensor([[0, 0.2], [0.4, 1]]))


def test_an_image_with_transparency_has_three_channels(save):
    assert models.image(save(np.full((3, 3, 4), 9)), size=3).shape == (1, 3, 3, 3)


def test_a_path_may_be_a_string(save):
    path = save(np.zeros((3, 3, 3)))
    assert torch.equal(models.image(str(path), size=3), models.image(path, size=3))


def test_a_misspelt_photograph_is_refused_with_the_nearest_known_one():
    message = (
        "eventnet.models.photo: no photograph is called 'astronut', expected one of astronaut, brick, camera, cat, "
        "chelsea, clock, coffee, coins, grass, gravel, hubble_deep_field, immunohistochemistry, moon, retina, rocket. "
        "Did you mean 'astronaut'?"
    )
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        models.photo("astronut")


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "8", None])
def test_a_size_that_is_no_positive_integer_is_refused(size):
    message = "eventnet.models.photo: size is {!r}, expected a positive integer. Give the height in pixels."
    with pytest.raises(ParameterError, match=f"^{re.escape(message.format(size))}$"):
        models.photo("astronaut", size=size)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.png"
    message = f"eventnet.models.image: '{path}' does not exist, expected an image file. Check the path."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$") as caught:
        models.image(path)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    message = f"eventnet.models.image: '{path}' cannot be read as an image, expected a file that Pillow opens. Check it."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$") as caught:
        models.image(path)
    assert caught.value.__suppress_context__


def test_a_file_that_is_cut_short_is_named(save):
    path = save(np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=re.escape(f"'{path}' cannot be read as an image")):
        models.image(path)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"'{tmp_path}' cannot be read as an image")):
        models.image(tmp_path)


def test_pixels_of_more_than_eight_bits_are_refused_rather_than_cut_off(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 4000, dtype=np.uint16)).save(path)
    message = f"eventnet.models.image: '{path}' has pixels of mode I;16, expected eight bits a channel. Convert it first."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        models.image(path)


def test_without_scikit_image_a_photograph_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = f"eventnet.models.photo: scikit-image is not installed, expected it for its photographs. {INSTALL}"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        models.photo()


def test_without_pillow_an_image_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    message = f"eventnet.models.image: Pillow is not installed, expected it to read images. {INSTALL}"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        models.image(Path("picture.png"))
