"""LeNet-300-100: two hidden layers on a 28x28 digit, the small network of the pruning papers.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document Recognition, Proc. IEEE
1998, Section III.C.4; with rectifiers, as in S. Han, H. Mao, W. Dally, Deep Compression, ICLR 2016, Table 1.
"""

from collections import OrderedDict

from torch import nn

INPUT_SHAPE = (1, 1, 28, 28)


def build() -> nn.Module:
    """Return the layers, from the image to the logits of ten digits."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(28 * 28, 300),
            relu1=nn.ReLU(),
            fc2=nn.Linear(300, 100),
            relu2=nn.ReLU(),
            fc3=nn.Linear(100, 10),
        )
    )
