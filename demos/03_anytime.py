"""Anytime: the multi-exit network of the demo before, with a deadline instead of a threshold, on handwritten digits.

What to see: the model asks a clock, stops when the time is up, and answers with the last exit that it passed.
The clock is the modelled machine's own: `watcher.seconds` grows while forward runs. A stage that has
begun is finished, so the machine may stop after the deadline; the answer of that stage does not count.
"""

from collections.abc import Callable

import torch
from networks.multi_scale import MultiScale, trained
from showing import picture, share, statistics, table
from torch import Tensor, nn

import eventnet
import hwmodel

DEADLINES_US, JUDGED_US = (1.0, 2.0, 5.0), 2.0  # the latter event by event, the others let PyTorch multiply
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


class Anytime(nn.Module):
    def __init__(self, network: MultiScale) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, clock: Callable[[], float], deadline: float) -> tuple[int | None, int, float]:
        answer, passed, answered = None, 0, 0.0
        for logits in self.network.exits(image):
            candidate = int(logits.argmax())
            if clock() > deadline:
                break
            answer, passed, answered = candidate, passed + 1, clock()
        return answer, passed, answered


def main() -> None:
    torch.set_grad_enabled(False)
    network, _, (images, labels) = trained()
    model, images, labels = Anytime(network), images[::2], labels[::2]

    print(f"Deadlines on one tile of Cnvlutin at {MACHINE.clock_hz / 1e6:.0f} MHz, {len(labels)} digits not trained on:\n")
    rows, accuracies, judged = [], [], []
    for deadline in DEADLINES_US:
        values = "events" if deadline == JUDGED_US else "reference"
        answers, exits, answered, late = [], 0, [], []
        for image in images:
            with eventnet.watch(machine=MACHINE, values=values, progress=False) as watcher:
                answer, passed, seconds = model(image[None], lambda: watcher.seconds, deadline * 1e-6)
            answers, exits = [*answers, answer], exits + passed
            answered.append(seconds * 1e6)
            late.append(watcher.seconds * 1e6 - deadline)
            judged += [watcher.run] if deadline == JUDGED_US else []
        right = [answer == label for answer, label in zip(answers, labels.tolist(), strict=True)]
        accuracies.append(100 * sum(right) / len(right))
        cells = (f"{exits / len(right):.2f}", f"{max(answered):.2f}", f"{max(late):.2f}")
        rows.append((f"{deadline:.1f}", answers.count(None), share(right), *cells))
        assert max(answered) <= deadline, "an answer came after the deadline"
    table(("deadline, us", "no answer", "accuracy", "mean exits passed", "last answer, us", "most over it, us"), rows)
    print(f"At the deadline of {JUDGED_US} us:")
    statistics(judged)

    said = ", ".join(f"{of:.0f}% right by {deadline:g} us" for of, deadline in zip(accuracies, DEADLINES_US, strict=True))
    with picture("03_anytime.png", f"Anytime: {said}") as axis:
        axis.plot(DEADLINES_US, accuracies, "o:")
        axis.set(xlabel="deadline on the modelled machine (us)", ylabel="accuracy (%)", ylim=(-3, 103))
    print(f"Conclusion: one network serves every deadline ({said}), and no answer is late.")


if __name__ == "__main__":
    main()
