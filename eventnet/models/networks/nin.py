"""Network in Network for ImageNet: each spatial convolution is followed by two 1x1 ones (cccp); no classifier layers.

Source: M. Lin, Q. Chen, S. Yan, Network In Network, ICLR 2014; layer sizes from the authors' Caffe model NIN-ImageNet,
where conv4, cccp7 and cccp8 carry the suffix -1024. The average over places of the last, rectified, feature maps gives
the logits.
"""

from collections import OrderedDict

from torch import nn

INPUT_SHAPE = (1, 3, 224, 224)


def build() -> nn.Module:
    """Return the layers, from the image to the logits of 1000 classes."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 96, 11, stride=4),
            relu1=nn.ReLU(),
            cccp1=nn.Conv2d(96, 96, 1),
            relu_cccp1=nn.ReLU(),
            cccp2=nn.Conv2d(96, 96, 1),
            relu_cccp2=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            conv2=nn.Conv2d(96, 256, 5, padding=2),
            relu2=nn.ReLU(),
            cccp3=nn.Conv2d(256, 256, 1),
            relu_cccp3=nn.ReLU(),
            cccp4=nn.Conv2d(256, 256, 1),
            relu_cccp4=nn.ReLU(),
            pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            conv3=nn.Conv2d(256, 384, 3, padding=1),
            relu3=nn.ReLU(),
            cccp5=nn.Conv2d(384, 384, 1),
            relu_cccp5=nn.ReLU(),
            cccp6=nn.Conv2d(384, 384, 1),
            relu_cccp6=nn.ReLU(),
            pool3=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            drop3=nn.Dropout(0.5),
            conv4=nn.Conv2d(384, 1024, 3, padding=1),
            relu4=nn.ReLU(),
            cccp7=nn.Conv2d(1024, 1024, 1),
            relu_cccp7=nn.ReLU(),
            cccp8=nn.Conv2d(1024, 1000, 1),
            relu_cccp8=nn.ReLU(),
            pool4=nn.AvgPool2d(6),
            flatten=nn.Flatten(),
        )
    )
