"""Memory: a network that writes what it reads to a memory by content, and answers questions; on generated stories.

What to see: each write and each read touches the few slots whose keys are the most alike (top-k), however many there are; work
grows with the story. A memory that is read as a whole multiplies all slots. (J. Rae et al., "Scaling memory-augmented neural
networks with sparse reads and writes", NIPS 2016; the stories are in the manner of the bAbI tasks, which no package ships.)
"""

import torch
from data import stories
from networks.memory import FEW, SLOTS, WIDTH, Memory
from showing import picture, share, statistics, table, total
from torch import Tensor
from torch.nn import functional as F
from training import fit

import eventnet
import hwmodel

STEPS = 200
MACHINE = hwmodel.load("cnvlutin", units=1, vector_lanes=16, skip_fully_connected=True)  # one tile: a small network


def main() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    model = Memory()

    def loss(step: int) -> Tensor:
        *story, answers = stories(count=64, facts=2 + step % 7)
        return F.cross_entropy(model(*story), answers)

    fit(model, loss, STEPS, rate=4e-2)
    torch.manual_seed(2)  # choices were made on stories of another seed
    *story, answers = stories(count=1000, facts=8)
    right = share(model(*story).argmax(1) == answers)
    print(f"{FEW} of {SLOTS} slots on one tile of Cnvlutin, accuracy {right} on 1,000 new stories of 8 facts.\n")

    whole = Memory(touched=SLOTS)
    whole.load_state_dict(model.state_dict())
    samples = [stories(count=1, facts=2 + number % 7)[:3] for number in range(56)]  # of 2 to 8 facts, in turn
    runs = [eventnet.simulate(model, *one, machine=MACHINE, progress=False) for one in samples]
    dense = [eventnet.simulate(whole, *one, machine=MACHINE, progress=False, values="reference") for one in samples[:7]]
    rows, means = [], {}
    for facts in range(2, 9):
        done, every = runs[facts - 2 :: 7], dense[facts - 2]
        slots = sum(record.events for run in done for record in run.records if record.op == "scatter") / WIDTH / len(done)
        means[facts] = [total(done, "ticks") / len(done), every.ticks]
        energy, whole_energy = total(done, "chip_pj") / len(done) / 1e3, every.chip_pj / 1e3
        cells = (slots, *means[facts], energy, whole_energy)
        rows.append((f"{facts} facts", *(f"{one:,.0f}" for one in cells)))
    table(("story of", "slots written", "ticks", "if all", "energy, nJ", "if all"), rows)
    statistics(runs)

    gain = means[8][1] / means[8][0]
    with picture("09_memory.png", f"Memory: touching {FEW} of {SLOTS} slots takes {gain:.0f} times fewer ticks") as axis:
        for place, label in enumerate((f"{FEW} of {SLOTS} slots", "all slots")):
            axis.semilogy(list(means), [ticks[place] for ticks in means.values()], "o-", label=label)
        axis.set(xlabel="facts in the story", ylabel="ticks")
        axis.legend()
    print(f"Conclusion: a fact or a question touches {FEW} of {SLOTS} slots, {gain:.0f} times fewer ticks than all {SLOTS}.")


if __name__ == "__main__":
    main()
