"""The command ``eventnet``: run, machines, models, validate."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import torch

from eventnet import models, validation
from eventnet.program import described, program
from eventnet.progress import Bar
from eventnet.reports.comparison import comparison
from eventnet.reports.table import aligned
from eventnet.reports.whole_file import check_writable, write_whole
from eventnet.simulate import simulate
from hwmodel.catalogue import load, machines
from hwmodel.errors import EventNetError, ParameterError
from hwmodel.machine import Machine

USER_ERROR, OUT_OF_BAND, INTERRUPTED = 2, 1, 130
EVERY = "all"  # instead of a machine's name
FILES = ("json", "csv", "html", "perfetto")  # flags that name a file, and what `Run.to_...` writes there


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for a user's error, 1 for a figure out of its band, 130 for an interrupt."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.command(options)
        return code
    except EventNetError as error:
        print(f"eventnet: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("eventnet: interrupted", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Make the command line's parser."""
    top = argparse.ArgumentParser(
        prog="eventnet", description="Run PyTorch models as event-driven hardware would, and count what zero-skipping saves."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a model on one picture and print the table")
    run.add_argument("model", metavar="MODEL", help="a name (see `eventnet models`), model.onnx or file.py:factory")
    run.add_argument(
        "--machine",
        default="cnvlutin",
        metavar="M",
        help="a name, with parameters if any: cnvlutin:lanes=32,brick=8; or all, for a table of every machine",
    )
    run.add_argument("--baseline", metavar="B", help="what to compare with, written the same way")
    run.add_argument("--image", metavar="FILE", help="a picture; default: a photograph that ships with scikit-image")
    run.add_argument("--size", type=int, metavar="PIXELS", help="scale the picture to so many pixels a side")
    run.add_argument(
        "--zero-fraction", type=float, metavar="Z", help="set biases for this share of zero operands in each layer"
    )
    run.add_argument("--engine", default="auto", metavar="E", help="auto, event or bulk")
    run.add_argument(
        "--values", metavar="V", help="events, or reference to multiply nothing; default: events, reference for --machine all"
    )
    run.add_argument("--threshold", type=float, default=0.0, metavar="T", help="activations of smaller magnitude count as zero")
    run.add_argument("--numerics", default="auto", metavar="N", help="auto, float32, float64, bfloat16 or fixed16")
    run.add_argument("--json", metavar="FILE", help="write records, totals and provenance as JSON")
    run.add_argument("--csv", metavar="FILE", help="write the records as comma-separated values")
    run.add_argument("--html", metavar="FILE", help="write one page with charts, prices and provenance")
    run.add_argument("--perfetto", metavar="FILE", help="write a trace for ui.perfetto.dev: a track for each unit copy")
    run.add_argument("--trace", default="auto", metavar="L", help="auto, operator, or job to trace every job (slower)")
    run.set_defaults(command=_run)

    listed = commands.add_parser("machines", help="list the machines with their parameters")
    listed.set_defaults(command=_machines)
    networks = commands.add_parser("models", help="list the models")
    networks.set_defaults(command=_models)

    validate = commands.add_parser("validate", help="set published figures beside ours")
    validate.add_argument("--machine", action="append", default=[], metavar="M", help="change parameters: cnvlutin:lanes=8")
    validate.add_argument("--csv", metavar="FILE", help="write the rows as comma-separated values")
    validate.set_defaults(command=_validate)
    return top


def machine_from(text: str) -> Machine:
    """Make a machine of ``name`` or ``name:parameter=value,parameter=value``.

    Raises
    ------
    ParameterError
        If a parameter has no value, or one that the machine refuses.
    UnknownNameError
        If no machine has that name.
    """
    name, _, listed = text.partition(":")
    parameters: dict[str, Any] = {}
    for pair in listed.split(",") if listed else []:
        parameter, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"machine {text!r}: {pair!r} has no value, expected parameter=value, as in {name}:lanes=32.")
        parameters[parameter.strip()] = _value(value.strip())
    return load(name, **parameters)


def _value(text: str) -> Any:
    if text in ("True", "true", "False", "false"):
        return text in ("True", "true")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _run(options: argparse.Namespace) -> int:
    asked = [load(name) for name in machines()] if options.machine == EVERY else machine_from(options.machine)
    baseline = machine_from(options.baseline) if options.baseline is not None else None
    if options.machine == EVERY:
        _refuse_with_every(options)
    for path in (getattr(options, name) for name in FILES):
        if path is not None:
            check_writable(path)
    with torch.no_grad():
        try:
            made = program(options.model, options.image, options.size, options.zero_fraction)
            run = simulate(
                made.model,
                *made.inputs,
                machine=asked,
                baseline=baseline,
                engine=options.engine,
                values=options.values or ("reference" if options.machine == EVERY else "events"),
                threshold=options.threshold,
                numerics=options.numerics,
                trace=options.trace,
            )
        except EventNetError:
            raise
        except (Exception, SystemExit) as error:
            raise ParameterError(
                f"eventnet run: {options.model} raises {described(error)} on its input. Run the model by itself first, or give "
                "it another input."
            ) from None
    for name in FILES:
        if getattr(options, name) is not None:
            getattr(run, f"to_{name}")(getattr(options, name))
    print(comparison(run) if options.machine == EVERY else run)
    if made.remark:
        print(f"note       {made.remark}")
    return 0


def _refuse_with_every(options: argparse.Namespace) -> None:
    """Raise ParameterError for what only one machine can have."""
    for name in ("baseline", *FILES):
        if getattr(options, name) is not None:
            raise ParameterError(
                f"eventnet run: --machine {EVERY} comes with --{name} {getattr(options, name)}, expected one machine for that. "
                "Name it, or take the table alone."
            )


def _machines(options: argparse.Namespace) -> int:
    for name, paper in machines().items():
        machine = load(name)
        policy = machine.zero_policy
        print(f"{name}: {paper}")
        print(f"  zeros: activations {policy.activations}, weights {policy.weights}")
        for parameter, value in machine.parameters().items():
            print(f"  {parameter}={value}  {type(machine).__dataclass_fields__[parameter].metadata['doc']}")
    return 0


def _models(options: argparse.Namespace) -> int:
    for name in models.names():
        print(f"{name}  input {tuple(models.input_shape(name))}")
    return 0


def _validate(options: argparse.Namespace) -> int:
    if options.csv is not None:
        check_writable(options.csv)
    changed = {machine.name: machine for machine in map(machine_from, options.machine)}
    bar = Bar(validation.rows(changed), desc="eventnet validate", unit=" figures")
    found = list(bar)
    heads = ["machine", "figure", "published", "ours", "difference", "band", "holds", "how sure", "source"]
    table = [
        [
            row.machine,
            row.figure,
            f"{row.published:,}",
            f"{row.ours:,.4g}" if row.ours % 1 else f"{row.ours:,.0f}",
            f"{row.difference:+.2%}",
            f"{row.band:.0%}" if row.band else "equal",
            "yes" if row.holds else "no (provisional)" if row.provisional else "NO",
            row.sure,
            row.source,
        ]
        for row in found
    ]
    if options.csv is not None:
        write_whole(options.csv, "\n".join(",".join(f'"{cell}"' for cell in line) for line in [heads, *table]) + "\n")
    print("\n".join(aligned([heads, *table], left=2)))
    return OUT_OF_BAND if any(not row.holds and not row.provisional for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
