"""What all tests share."""

import os

import torch

# Workers that share the cores would let each other's threads wait, for minutes where seconds are enough.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)
