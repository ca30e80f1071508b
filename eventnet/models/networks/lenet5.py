"""LeNet-5 with rectifiers and max pooling, the form that sparsity papers use: a 32x32 digit to ten logits.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document Recognition, Proc. IEEE
1998, Fig. 2. The original has sigmoid units, trainable subsampling and a partly connected second convolution.
"""

from collections import OrderedDict

from torch import nn

INPUT_SHAPE = (1, 1, 32, 32)


def build() -> nn.Module:
    """Return the layers, from the image to the logits of ten digits."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc3=nn.Linear(16 * 5 * 5, 120),
            relu3=nn.ReLU(),
            fc4=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc5=nn.Linear(84, 10),
        )
    )
