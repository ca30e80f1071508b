"""The main job: real networks on real images, event by event, through Cnvlutin and DaDianNao.

Run it with `make demo`. It takes under two minutes on two cores.
"""

import torch

import eventnet
import hwmodel
from eventnet import models
from eventnet.progress import Bar
from eventnet.samples import Samples
from eventnet.validation.cnvlutin import independent_speedup

DIGITS = 40
ALEXNET_ZEROS = 0.44  # share of zero operands that the Cnvlutin paper reports for alexnet


def classify_digits() -> None:
    """A trained LeNet-5 on held-out handwritten digits, each multiplication driven by an event."""
    model = models.trained_lenet5()
    _, _, images, labels = models.digits()
    with torch.no_grad():
        accuracy = (model(images).argmax(1) == labels).float().mean()
    print(f"1. LeNet-5 on handwritten digits it has not seen (accuracy {accuracy:.1%} on {len(labels)}), {DIGITS} of them")
    print("   event by event on Cnvlutin, against DaDianNao, on the SimPy engine.\n")

    samples, same, right = Samples(), 0, 0
    for image, label in Bar(list(zip(images[:DIGITS], labels[:DIGITS], strict=True)), desc="digits", unit=" digits"):
        run = eventnet.simulate(model, image[None], machine="cnvlutin", baseline="dadiannao", engine="event", progress=False)
        samples.add(run)
        same += int(run.outputs.argmax() == model(image[None]).argmax())
        right += int(run.outputs.argmax() == label)
    print(samples)
    print(f"\n   {same} of {DIGITS} answers equal PyTorch's; {right} of {DIGITS} are right. The last digit:\n")
    print(run, "\n")


def alexnet_on_a_photograph() -> None:
    """AlexNet as the Cnvlutin paper uses it, its biases calibrated to the published share of zeros."""
    photograph = models.photo("astronaut", size=227)
    model = models.calibrate(models.load("alexnet"), photograph, zero_fraction=ALEXNET_ZEROS)
    print(f"2. AlexNet on a photograph, biases set such that {ALEXNET_ZEROS:.0%} of each layer's operands are zero.\n")
    run = eventnet.simulate(model, photograph, machine="cnvlutin", baseline="dadiannao", engine="event")
    print(run, "\n")

    machine, baseline = hwmodel.load("cnvlutin"), hwmodel.load("dadiannao")
    independent = independent_speedup(machine, baseline, "alexnet", ALEXNET_ZEROS, all_layers=True)
    print(
        f"   speed-up, all layers: {run.speedup:.3f} with the photograph's zeros, {independent:.3f} with as many zeros placed"
    )
    print("   independently (the paper: 1.366, on its own trained network). A photograph's zeros cluster by channel and")
    print("   place, so that some lanes get many and the others, which wait for them at the end of each window, get few.")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    classify_digits()
    alexnet_on_a_photograph()
