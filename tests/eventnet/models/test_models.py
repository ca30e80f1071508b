"""The package as its users see it."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from eventnet import models
from eventnet.models import weight_cache
from eventnet.models.pretrained import CACHE_FILE

MODULES = ["eventnet.models", *(found.name for found in pkgutil.walk_packages(models.__path__, "eventnet.models."))]


def test_it_exports_exactly_what_the_design_names():
    assert models.__all__ == [
        "calibrate",
        "digits",
        "image",
        "input_shape",
        "load",
        "names",
        "photo",
        "trained_lenet5",
    ]


@pytest.mark.parametrize("name", models.__all__)
def test_every_public_function_says_what_it_raises_or_shows_an_example(name):
    doc = getattr(models, name).__doc__
    assert "Raises\n" in doc or "Examples\n" in doc


@pytest.mark.parametrize("name", MODULES)
def test_its_examples_run(name, trained):
    weight_cache.write(CACHE_FILE, trained.model)  # so that the example of training need not train again
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_importing_it_needs_none_of_the_optional_packages():
    code = "import sys, eventnet.models; print({'PIL', 'skimage', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
