"""LeNet-5 trained on handwritten digits: seconds the first time, from the cache folder afterwards."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eventnet.models import weight_cache
from eventnet.models.catalogue import load
from eventnet.models.handwriting import digits
from eventnet.progress import Bar

# A change to the network, the digits or the training makes other weights: count the version up with it.
VERSION = 1
CACHE_FILE = f"lenet5-digits-v{VERSION}.npz"

SEED = 0
EPOCHS = 12
BATCH_SAMPLES = 32
LARGEST_STEP = 3e-3

# What is promised of the held-out digits. The training reaches more; a cached network that does not is not ours.
LEAST_ACCURACY = 0.97


def trained_lenet5() -> nn.Module:
    """Return LeNet-5 trained on the digits of `digits`, in eval mode, with at least 97 % of the held-out ones right.

    The weights are kept in ``$XDG_CACHE_HOME/eventnet`` (``~/.cache/eventnet``). A cache that is broken, foreign or not
    writable is ignored, and the network is trained again. The global random state and the grad mode stay as they are.

    Raises
    ------
    DataError
        If scikit-learn, which holds the digits, is not installed.

    Notes
    -----
    Cost: about five seconds of one core the first time. `eventnet.models.pretrained.held_out_accuracy` measures what
    came of it.

    Examples
    --------
    >>> from eventnet.models.pretrained import held_out_accuracy
    >>> held_out_accuracy(trained_lenet5()) >= 0.97
    True
    """
    # The caller may be under inference_mode or no_grad; training needs gradients, and tensors that can have them.
    with torch.inference_mode(False), torch.enable_grad():
        model = load("lenet5", SEED)
        if weight_cache.read(CACHE_FILE, model) and held_out_accuracy(model) >= LEAST_ACCURACY:
            return model
        model = load("lenet5", SEED)
        with _one_thread():
            _train(model)
        weight_cache.write(CACHE_FILE, model)
        return model


def held_out_accuracy(model: nn.Module) -> float:
    """Return the share of the held-out digits that a network of input (N, 1, 32, 32) and ten logits gets right.

    Raises
    ------
    DataError
        If scikit-learn, which holds the digits, is not installed.
    """
    _, _, images, labels = digits()
    with torch.no_grad():
        return float((model(images).argmax(dim=1) == labels).double().mean())


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread.

    The batches are too small to share out, and where other processes hold the cores, threads that wait for each other
    made three minutes of these seconds. Sums then also come in one order, however many cores a machine has.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _train(model: nn.Module) -> None:
    """Train with Adam and a step that falls to zero, from samples shuffled by a generator of its own."""
    images, labels, _, _ = digits()
    generator = torch.Generator().manual_seed(SEED)
    optimiser = torch.optim.Adam(model.parameters(), lr=LARGEST_STEP)
    batches = -(-len(images) // BATCH_SAMPLES)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=EPOCHS * batches)
    for _ in Bar(range(EPOCHS), desc="training lenet5", unit=" epochs", delay=0):
        order = torch.randperm(len(images), generator=generator)
        for batch in order.split(BATCH_SAMPLES):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            _step(model, optimiser, images[batch], labels[batch])
            schedule.step()
    optimiser.zero_grad()


def _step(model: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    optimiser.zero_grad()
    F.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimiser.step()
