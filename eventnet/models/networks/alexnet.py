"""AlexNet as Caffe's reference model trained it (bvlc CaffeNet): two groups, pooling before normalisation.

Source: A. Krizhevsky, I. Sutskever, G. Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NIPS
2012; layer order and sizes from BVLC Caffe, models/bvlc_reference_caffenet. The original normalises before it pools.
"""

from collections import OrderedDict

from torch import nn

INPUT_SHAPE = (1, 3, 227, 227)


def build() -> nn.Module:
    """Return the layers, from the image to the logits of 1000 classes."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 96, 11, stride=4),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            norm1=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
            conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            norm2=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
            conv3=nn.Conv2d(256, 384, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
            relu5=nn.ReLU(),
            pool5=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            flatten=nn.Flatten(),
            fc6=nn.Linear(256 * 6 * 6, 4096),
            relu6=nn.ReLU(),
            drop6=nn.Dropout(0.5),
            fc7=nn.Linear(4096, 4096),
            relu7=nn.ReLU(),
            drop7=nn.Dropout(0.5),
            fc8=nn.Linear(4096, 1000),
        )
    )
