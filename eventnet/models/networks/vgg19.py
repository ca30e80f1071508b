"""VGG-19: sixteen 3x3 convolutions in five blocks, then three classifier layers.

Source: K. Simonyan, A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015,
Table 1, configuration E.
"""

from collections import OrderedDict

from torch import nn

INPUT_SHAPE = (1, 3, 224, 224)

# Filters and number of the convolutions of each block; every block ends in a pooling that halves height and width.
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


def build() -> nn.Module:
    """Return the layers, from the image to the logits of 1000 classes."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = INPUT_SHAPE[1]
    for block, (filters, convolutions) in enumerate(BLOCKS, start=1):
        for place in range(1, convolutions + 1):
            layers[f"conv{block}_{place}"] = nn.Conv2d(channels, filters, 3, padding=1)
            layers[f"relu{block}_{place}"] = nn.ReLU()
            channels = filters
        layers[f"pool{block}"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
    layers.update(
        flatten=nn.Flatten(),
        fc6=nn.Linear(512 * 7 * 7, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(0.5),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(0.5),
        fc8=nn.Linear(4096, 1000),
    )
    return nn.Sequential(layers)
