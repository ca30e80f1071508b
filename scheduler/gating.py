"""Power that does not depend on work: static while a chip is on, leakage while its units are gated, and what waking costs."""

from dataclasses import dataclass
from math import inf

from hwmodel.errors import ParameterError
from hwmodel.machine import Machine
from scheduler.clock import Clock, is_number
from scheduler.power import PowerTimeline, Prices, quanta


@dataclass(frozen=True)
class PowerGating:
    """When and how a chip switches its units off while it has no work.

    Attributes
    ----------
    after
        How long it is idle before, in the environment's units.
    wake
        How long it takes to switch them on again, in the environment's units, rounded to ticks: a job waits for it, and all
        static power is drawn meanwhile.
    wake_pj
        What that costs beside the static power.
    components
        The names of the machine's components with static power that are switched off; None for all.
    leakage
        The share of their static power that they draw while they are.
    """

    after: float = 0.0
    wake: float = 0.0
    wake_pj: float = 0.0
    components: tuple[str, ...] | None = None
    leakage: float = 0.0

    def check(self, machine: Machine, where: str) -> None:
        """Raise ParameterError for a number out of its range, or a component that the machine does not have."""
        for name in ("after", "wake", "wake_pj", "leakage"):
            most = 1.0 if name == "leakage" else inf
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value <= most or value == inf:
                wanted = "a number from 0 to 1" if name == "leakage" else "a number of at least 0"
                raise ParameterError(f"{where}: power_gating has {name}={value!r}, expected {wanted}.")
        known = sorted(machine.prices.static)
        for component in self.components or ():
            if component not in known:
                raise ParameterError(
                    f"{where}: power_gating names the component {component!r}, which machine {machine.name!r} does not have, "
                    f"expected some of {', '.join(known) or 'none: it has no static power'}."
                )


class Supply:
    """What feeds a chip: it is asleep while the chip has no work, and its timeline says what that draws.

    Attributes
    ----------
    asleep_since
        The tick from which the chip has had no work; None while it has.
    idle_ticks, wake_ticks
        How long it had none, and how long its units took to be switched on, up to the last wake-up.
    level
        Static power of the whole chip, in quanta a tick.
    """

    def __init__(self, clock: Clock, prices: Prices, timeline: PowerTimeline, gating: PowerGating | None) -> None:
        self.level = prices.static_per_tick()
        self.asleep_since: int | None = None
        self.idle_ticks = 0
        self.wake_ticks = 0
        self.gating = gating
        self._timeline = timeline
        timeline.static.step(0, self.level)
        if gating is not None:
            gated = prices.static_per_tick(gating.components)
            self._left = self.level - gated
            self._leakage = int(gated * gating.leakage)
            self._after = round(clock.ticks_per_unit * clock.exact(gating.after))
            self._wake = round(clock.ticks_per_unit * clock.exact(gating.wake))
            self._wake_energy = quanta(float(gating.wake_pj))

    @property
    def wake_energy(self) -> int:
        """Return the energy of one wake-up, in quanta."""
        return self._wake_energy if self.gating is not None else 0

    def sleep(self, tick: int) -> None:
        """Have no work from a tick on; if nothing comes, units are gated later."""
        self.asleep_since = tick
        if self.gating is not None:
            self._timeline.static.step(tick + self._after, self._left)
            self._timeline.gated.step(tick + self._after, self._leakage)

    def wake(self, tick: int) -> int:
        """Have work from a tick on; return the tick from which it can be done."""
        since = self.asleep_since
        assert since is not None
        self.asleep_since = None
        self.idle_ticks += tick - since
        if self.gating is None:
            return tick
        gated = tick >= since + self._after
        self._timeline.static.change(tick, self.level)
        self._timeline.gated.change(tick, 0)
        if not gated:
            return tick
        self._timeline.wake.add(tick, tick + self._wake, self._wake_energy)
        self.wake_ticks += self._wake
        return tick + self._wake

    def idle_until(self, tick: int) -> int:
        """Return for how many ticks the chip has had no work up to a tick."""
        return self.idle_ticks + (max(0, tick - self.asleep_since) if self.asleep_since is not None else 0)
