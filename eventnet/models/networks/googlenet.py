"""GoogLeNet as Caffe's model has it: 57 convolutions, without the two auxiliary heads that only training uses.

Source: C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015, Table 1; pooling, normalisation and the order of
both from BVLC Caffe, models/bvlc_googlenet.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

INPUT_SHAPE = (1, 3, 224, 224)


class Inception(nn.Module):
    """Run four branches on the same input and concatenate their channels.

    Parameters
    ----------
    channels
        Channels of the input.
    conv1x1, conv3x3_reduce, conv3x3, conv5x5_reduce, conv5x5, pool_proj
        Filters of each convolution, in the paper's order.
    """

    def __init__(
        self,
        channels: int,
        conv1x1: int,
        conv3x3_reduce: int,
        conv3x3: int,
        conv5x5_reduce: int,
        conv5x5: int,
        pool_proj: int,
    ) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(channels, conv1x1, 1)
        self.relu1x1 = nn.ReLU()
        self.conv3x3_reduce = nn.Conv2d(channels, conv3x3_reduce, 1)
        self.relu3x3_reduce = nn.ReLU()
        self.conv3x3 = nn.Conv2d(conv3x3_reduce, conv3x3, 3, padding=1)
        self.relu3x3 = nn.ReLU()
        self.conv5x5_reduce = nn.Conv2d(channels, conv5x5_reduce, 1)
        self.relu5x5_reduce = nn.ReLU()
        self.conv5x5 = nn.Conv2d(conv5x5_reduce, conv5x5, 5, padding=2)
        self.relu5x5 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True)
        self.pool_proj = nn.Conv2d(channels, pool_proj, 1)
        self.relu_pool_proj = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, sum of the branches' filters, H, W)."""
        branches = (
            self.relu1x1(self.conv1x1(x)),
            self.relu3x3(self.conv3x3(self.relu3x3_reduce(self.conv3x3_reduce(x)))),
            self.relu5x5(self.conv5x5(self.relu5x5_reduce(self.conv5x5_reduce(x)))),
            self.relu_pool_proj(self.pool_proj(self.pool(x))),
        )
        return torch.cat(branches, dim=1)


def build() -> nn.Module:
    """Return the layers, from the image to the logits of 1000 classes."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            norm1=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
            conv2_reduce=nn.Conv2d(64, 64, 1),
            relu2_reduce=nn.ReLU(),
            conv2=nn.Conv2d(64, 192, 3, padding=1),
            relu2=nn.ReLU(),
            norm2=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
            pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            inception_3a=Inception(192, 64, 96, 128, 16, 32, 32),
            inception_3b=Inception(256, 128, 128, 192, 32, 96, 64),
            pool3=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            inception_4a=Inception(480, 192, 96, 208, 16, 48, 64),
            inception_4b=Inception(512, 160, 112, 224, 24, 64, 64),
            inception_4c=Inception(512, 128, 128, 256, 24, 64, 64),
            inception_4d=Inception(512, 112, 144, 288, 32, 64, 64),
            inception_4e=Inception(528, 256, 160, 320, 32, 128, 128),
            pool4=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            inception_5a=Inception(832, 256, 160, 320, 32, 128, 128),
            inception_5b=Inception(832, 384, 192, 384, 48, 128, 128),
            pool5=nn.AvgPool2d(7),
            drop5=nn.Dropout(0.4),
            flatten=nn.Flatten(),
            classifier=nn.Linear(1024, 1000),
        )
    )
