"""Photographs as networks take them: scikit-image's, or any image file."""

import importlib.util
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hwmodel.catalogue import expected_one_of
from hwmodel.errors import DataError, ParameterError, UnknownNameError

# The photographs that scikit-image installs with itself, by its own name for each. Others it downloads at the first
# use, which this package never does, so the files are read from where they lie instead of through its functions.
FILES = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "chelsea": "chelsea.png",
    "clock": "clock_motion.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "immunohistochemistry": "ihc.png",
    "moon": "moon.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}

# Mean and standard deviation of ImageNet's training set, red, green and blue in [0, 1]: what its networks are fed with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def photo(name: str = "astronaut", size: int = 227) -> Tensor:
    """Return one of scikit-image's photographs, ready for an ImageNet network; nothing is downloaded.

    Parameters
    ----------
    name
        The photograph's name in ``skimage.data``.
    size
        Height and width in pixels. The photograph is cropped to its central square and resized with anti-aliasing.

    Returns
    -------
    Tensor
        Shape (1, 3, size, size), float32, normalised with ImageNet's mean and standard deviation of each channel. A
        greyscale photograph is repeated to three channels.

    Raises
    ------
    UnknownNameError
        If there is no photograph of that name.
    ParameterError
        If the size is not a positive integer.
    DataError
        If scikit-image is not installed, or has no such file.

    Examples
    --------
    >>> tuple(photo("coffee", size=64).shape)
    (1, 3, 64, 64)
    """
    if name not in FILES:
        raise UnknownNameError(f"eventnet.models.photo: no photograph is called {name!r}, {expected_one_of(str(name), FILES)}")
    _check_size("photo", size)
    scikit_image = importlib.util.find_spec("skimage")
    if scikit_image is None or scikit_image.origin is None:
        raise DataError(
            "eventnet.models.photo: scikit-image is not installed, expected it for its photographs. "
            "Run: pip install 'eventnet[data]'."
        )
    path = Path(scikit_image.origin).parent / "data" / FILES[name]
    return _normalised(_resized(_read("photo", path, grey=False), size))


def image(path: str | PathLike[str], size: int = 227, grey: bool = False) -> Tensor:
    """Return an image file, ready for a network.

    Parameters
    ----------
    path
        Any file that Pillow reads with eight bits a channel. The camera's orientation is respected; transparency is
        dropped.
    size
        Height and width in pixels. The image is cropped to its central square and resized with anti-aliasing.
    grey
        Return one channel of luminance in [0, 1], which is what the networks for digits take.

    Returns
    -------
    Tensor
        Shape (1, 3, size, size), float32, normalised with ImageNet's mean and standard deviation of each channel; with
        ``grey``, shape (1, 1, size, size), float32 in [0, 1].

    Raises
    ------
    ParameterError
        If the size is not a positive integer.
    DataError
        If the file is missing or is not such an image, or Pillow is not installed.
    """
    _check_size("image", size)
    pixels = _resized(_read("image", Path(path), grey), size)
    return pixels if grey else _normalised(pixels)


def _check_size(function: str, size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ParameterError(
            f"eventnet.models.{function}: size is {size!r}, expected a positive integer. Give the height in pixels."
        )


def _read(function: str, path: Path, grey: bool) -> Tensor:
    """Return a file's pixels as (1, channels, height, width), float32 in [0, 1]."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise DataError(
            f"eventnet.models.{function}: Pillow is not installed, expected it to read images. "
            "Run: pip install 'eventnet[data]'."
        ) from None
    where = f"eventnet.models.{function}: {str(path)!r}"
    try:
        with Image.open(path) as file:
            # Pillow cuts deeper pixels off at 255 instead of scaling them, which would turn a photograph white.
            if file.mode.startswith(("I", "F")):
                raise DataError(f"{where} has pixels of mode {file.mode}, expected eight bits a channel. Convert it first.")
            pixels = np.array(ImageOps.exif_transpose(file).convert("L" if grey else "RGB"))
    except FileNotFoundError:
        raise DataError(f"{where} does not exist, expected an image file. Check the path.") from None
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow raises for broken files
        raise DataError(f"{where} cannot be read as an image, expected a file that Pillow opens. Check it.") from None
    height, width = pixels.shape[:2]
    return torch.from_numpy(pixels).reshape(1, height, width, -1).permute(0, 3, 1, 2).float().contiguous() / 255


def _resized(pixels: Tensor, size: int) -> Tensor:
    """Crop (1, C, H, W) to its central square and resize that to (1, C, size, size)."""
    height, width = pixels.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[:, :, top : top + side, left : left + side]
    return F.interpolate(square, size=(size, size), mode="bilinear", antialias=True)


def _normalised(pixels: Tensor) -> Tensor:
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1)
    return (pixels - mean) / deviation
