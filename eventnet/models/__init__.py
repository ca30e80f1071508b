"""Networks to try: definitions with random weights, photographs and digits to feed them, and biases for chosen zeros.

Nothing is downloaded. Random weights give other zeros than a trained network's; `calibrate` sets the biases such that
every layer sees the share of zero operands that a paper reports.

Examples
--------
>>> from eventnet import models
>>> model = models.load("alexnet")
>>> model = models.calibrate(model, models.photo("astronaut", size=227), zero_fraction=0.44)
"""

from eventnet.models.calibration.biases import calibrate
from eventnet.models.catalogue import input_shape, load, names
from eventnet.models.handwriting import digits
from eventnet.models.photographs import image, photo
from eventnet.models.pretrained import trained_lenet5

__all__ = ["calibrate", "digits", "image", "input_shape", "load", "names", "photo", "trained_lenet5"]
