"""Bilinear layers: a product with both inputs."""

import torch
from torch import nn


def test_bilinear_layers_agree(agrees):
    torch.manual_seed(0)
    agrees(nn.Bilinear(4, 5, 3), torch.randn(2, 4), torch.randn(2, 5))
    agrees(nn.Bilinear(4, 5, 3, bias=False), torch.randn(2, 3, 4), torch.randn(2, 3, 5))
