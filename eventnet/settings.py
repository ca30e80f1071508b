"""The flags that `simulate` and `watch` share, checked before anything runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from eventnet.arithmetic import NUMERICS, numerics_of
from eventnet.device import Offchip
from eventnet.numerics import Numerics
from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError
from scheduler.engines import Engine, Values, check_engine

Threshold = float | Mapping[str, float]
FirstLayer = Literal["auto", "none"] | Sequence[str]
Leading = Literal["sample", "sequence"]
Level = Literal["auto", "operator", "job"]


@dataclass(frozen=True)
class Settings:
    """How a program is run; see `simulate` for what each flag means."""

    engine: Engine = "auto"
    values: Values = "events"
    numerics: str | Numerics = "auto"
    threshold: Threshold = 0.0
    first_layer: FirstLayer = "auto"
    offchip: Offchip = "energy"
    leading: Leading = "sample"
    trace: Level = "auto"
    strict: bool = False
    progress: bool = True

    def check(self, where: str) -> None:
        """Raise ParameterError or UnknownNameError for a flag that means nothing."""
        check_engine(self.engine, where)
        _check_choice(where, "values", self.values, ("events", "reference"))
        if not isinstance(self.numerics, Numerics):
            _check_choice(where, "numerics", self.numerics, list(NUMERICS))
        _check_choice(where, "offchip", self.offchip, ("energy", "time"))
        _check_choice(where, "leading", self.leading, ("sample", "sequence"))
        _check_choice(where, "trace", self.trace, ("auto", "operator", "job"))
        if self.trace == "job" and self.engine == "bulk":
            raise ParameterError(
                f"{where}: trace is 'job' and engine is 'bulk', expected engine 'event' or 'auto' for a trace of jobs, since "
                "the bulk engine plays none. Leave the engine out."
            )
        if isinstance(self.first_layer, str):
            _check_choice(where, "first_layer", self.first_layer, ("auto", "none"))
        elif not isinstance(self.first_layer, list | tuple) or not all(isinstance(one, str) for one in self.first_layer):
            raise ParameterError(
                f"{where}: first_layer is {self.first_layer!r}, expected 'auto', 'none' or a list of module names."
            )
        thresholds = self.threshold if isinstance(self.threshold, Mapping) else {"": self.threshold}
        for name, threshold in thresholds.items():
            of = f" of module {name!r}" if name else ""
            number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
            if not number or not 0 <= threshold < math.inf:
                raise ParameterError(
                    f"{where}: threshold{of} is {threshold!r}, expected a number of at least 0. "
                    "Activations of smaller magnitude count as zero, so 0 drops nothing."
                )

    def check_modules(self, where: str, known: Sequence[str]) -> None:
        """Raise ParameterError for a module name that the model does not have."""
        asked = list(self.threshold) if isinstance(self.threshold, Mapping) else []
        asked += self.arithmetic.modules()
        asked += [] if isinstance(self.first_layer, str) else list(self.first_layer)
        for name in asked:
            if not isinstance(name, str) or name not in known:
                raise ParameterError(f"{where}: the model has no module {name!r}, {expected_one_of(str(name), known)}")

    @property
    def arithmetic(self) -> Numerics:
        """Return how numbers are written."""
        return numerics_of(self.numerics)

    @property
    def untouched(self) -> bool:
        """Tell whether the values that flow are those of the untouched program: nothing multiplied, rounded or dropped."""
        thresholds = self.threshold.values() if isinstance(self.threshold, Mapping) else [self.threshold]
        return self.values == "reference" and self.numerics == "auto" and not any(thresholds)

    @property
    def traces_jobs(self) -> bool:
        """Tell whether every job is traced: where that was asked for, or where the event engine was and nothing else."""
        return self.trace == "job" or (self.trace == "auto" and self.engine == "event")

    def threshold_of(self, module: str) -> float:
        """Return the magnitude below which an activation of a module counts as zero."""
        return self.threshold if isinstance(self.threshold, int | float) else self.threshold.get(module, 0.0)

    def is_first(self, module: str, seen: bool) -> bool:
        """Tell whether a convolution is the first layer, given what the watcher saw."""
        if self.first_layer == "auto":
            return seen
        return self.first_layer != "none" and module in self.first_layer

    def as_dict(self) -> dict[str, Any]:
        """Return every flag with its value, for reports."""
        return asdict(replace(self, numerics="auto")) | {"numerics": self.arithmetic.as_dict()}


def _check_choice(where: str, what: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ParameterError(f"{where}: {what} is {value!r}, {expected_one_of(str(value), choices)}")
