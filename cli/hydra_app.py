"""The bridge: runs a task function under `hydra.main` with the rest of the command line left to Hydra.

Everything Hydra offers stays on the line: overrides, `--multirun`, `--cfg job`, `--info`, `--hydra-help`, launchers
and sweepers. What does not stay is its way of reporting errors; those leave here as `ConfigError`.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from bayesreg.compare_config import CompareConfig
from bayesreg.config import FitConfig
from bayesreg.simulate_config import CheckConfig, SimulateConfig
from cli import errors, job, output
from cli.invocation import DEFAULT_ROOT, Invocation, temporary_outbox
from cli.resume import as_override
from cli.schema import known_keys, register
from rlgrok.config import EvalConfig, TrainConfig
from runtime.errors import ConfigError


@dataclass(frozen=True)
class Application:
    """One command that runs under Hydra.

    Attributes:
        config_name: its root file under `conf/`, without the suffix; the schema is `<config_name>_schema`.
        kind: the config dataclass.
        task: name of its task function in `cli.tasks`, which is imported only to run it.
        presets: config groups that are no key of the schema; suggestions know them too.
        command: as in the names of its run folders, where that is not the root file's.
    """

    config_name: str
    kind: type
    task: str
    presets: tuple[str, ...] = ()
    command: str | None = None

    def register(self) -> None:
        """Tell Hydra the schema that the root file names."""
        register(self.kind, f"{self.config_name}_schema")

    def folder(self, root: str) -> str | None:
        """Hydra's folder for a run below `root`; None where the root file already says the same."""
        if root == DEFAULT_ROOT and self.command is None:
            return None
        command = self.command or self.config_name.replace("_", "-")
        return f"{root}/${{now:%Y-%m-%d}}/${{now:%H%M%S}}-{command}-${{name}}"

    def keys(self) -> list[str]:
        """Everything that can be overridden by name."""
        return [*known_keys(self.kind), *self.presets]


TRAIN = Application("rl_train", TrainConfig, "train", presets=("experiment", "debug", "tests", "reward"))
EVALUATE = Application("rl_eval", EvalConfig, "evaluate", presets=("scope",))
LEARNABILITY = replace(EVALUATE, task="learnability", command="rl-learnability")
REFERENCE = replace(TRAIN, task="reference", command="rl-reference")
FIT = Application("bayes_fit", FitConfig, "bayes_fit")
COMPARE = Application("bayes_compare", CompareConfig, "bayes_compare")
SIMULATE = Application("bayes_simulate", SimulateConfig, "bayes_simulate")
CHECK = Application("bayes_check", CheckConfig, "bayes_check")


def composed(application: Application, overrides: Sequence[str]) -> Any:  # noqa: ANN401 - of the application's kind
    """The checked config of some overrides; nothing runs.

    Raises:
        ConfigError: they do not compose.
    """
    from hydra import compose, initialize_config_module

    from cli.config_errors import explain
    from cli.schema import checked

    application.register()
    try:
        with initialize_config_module(config_module="conf", version_base="1.3"):
            return checked(application.kind, compose(application.config_name, list(overrides)))
    except Exception as error:
        if type(error).__module__.startswith(("hydra.", "omegaconf.")):
            raise explain(error, application.keys()) from error
        raise


RESUMABLE = ("rl train", "bayes fit")
"""Commands that can continue a run with --resume."""


@dataclass(frozen=True)
class Line:
    """The command line as Hydra's own parser reads it."""

    overrides: list[str]
    flags: list[str]
    parsed: Namespace

    @property
    def runs(self) -> bool:
        """False when Hydra only shows something: a config, help, its search path."""
        shown = (
            self.parsed.cfg,
            self.parsed.info,
            self.parsed.hydra_help,
            self.parsed.shell_completion,
        )
        return not any(shown)

    @property
    def is_sweep(self) -> bool:
        """True when Hydra will launch several jobs."""
        return self.runs and (self.parsed.multirun or "hydra.mode=MULTIRUN" in self.overrides)


def read_line(arguments: Sequence[str], flags: Sequence[str] = ()) -> Line:
    """Split what Typer left into overrides and Hydra's flags, in any order.

    Args:
        arguments: the words that Typer did not take.
        flags: the options that Typer does take, for suggestions.

    Raises:
        ConfigError: a flag that Hydra does not know, or one without its value.
    """
    from hydra._internal.utils import get_args_parser

    from cli.config_errors import unknown_flag

    parser = get_args_parser()
    unknown = "unrecognized arguments: "

    def refuse(message: str) -> NoReturn:
        if message.startswith(unknown):
            known = [option for action in parser._actions for option in action.option_strings]
            raise unknown_flag(message.removeprefix(unknown).split()[0], [*flags, *known])
        raise ConfigError(message, hint="Hydra's own options: --hydra-help")

    parser.error = refuse  # type: ignore[method-assign] - argparse prints usage and exits by itself
    parsed = parser.parse_intermixed_args(list(arguments))
    overrides = list(parsed.overrides)
    rest = list(arguments)
    for override in overrides:
        rest.remove(override)
    return Line(overrides, rest, parsed)


def execute(
    application: Application, line: Line, invocation: Invocation, preset: Sequence[str] = ()
) -> int:
    """Run the task under `hydra.main` and tell how its jobs ended; returns the exit code.

    Args:
        application: the command's root file, schema and task.
        line: the user's overrides and Hydra flags.
        invocation: Typer's flags, published for the task.
        preset: overrides placed before the user's, which therefore win.

    Raises:
        ConfigError: the config cannot be composed.
    """
    if not line.runs:
        _under_hydra(application, line, invocation, preset)
        return errors.DONE
    if line.is_sweep:
        if invocation.resume is not None:
            raise ConfigError(
                "--resume continues one run", got="--multirun", expected="no --multirun"
            )
        invocation = replace(invocation, outbox=str(temporary_outbox(Path(invocation.root))))
    with output.nothing_on_stdout() if invocation.as_json else nullcontext():
        error = _under_hydra(application, line, invocation, preset)
        outcomes = job.collect(invocation)
        if error is not None and not any(outcome.error for outcome in outcomes):
            _raise(error, application, started=bool(outcomes))
    return _report(outcomes, invocation)


def _under_hydra(
    application: Application, line: Line, invocation: Invocation, preset: Sequence[str]
) -> BaseException | None:
    """Hand over to Hydra; what a job raised, or Hydra itself while nothing ran."""
    import hydra

    from cli import tasks

    # Hydra's own error printing would reach the user otherwise; with this set it re-raises instead.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    application.register()
    invocation.publish()
    sys.argv = [
        sys.argv[0],
        *preset,
        *line.overrides,
        *_folder(application, line, invocation),
        *line.flags,
    ]
    job.interrupt_on_sigterm()
    bridge = hydra.main(
        version_base="1.3", config_path="pkg://conf", config_name=application.config_name
    )
    try:
        bridge(getattr(tasks, application.task))()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - sorted out by the caller
        if not line.runs:
            _raise(error, application, started=False)
        return error
    return None


def _folder(application: Application, line: Line, invocation: Invocation) -> list[str]:
    """Overrides that put Hydra's folder where the flags or the command want it."""
    key = "hydra.sweep.dir" if line.is_sweep else "hydra.run.dir"
    wanted = invocation.resume or invocation.out or application.folder(invocation.root)
    return [] if wanted is None else [as_override(key, wanted)]


def _raise(error: BaseException, application: Application, *, started: bool) -> NoReturn:
    """Raise what Hydra raised, as a `ConfigError` where it is about the config."""
    from cli.config_errors import explain

    library = type(error).__module__.partition(".")[0]
    # Hydra checks some overrides with plain exceptions, `group=null` for one.
    plain = isinstance(error, ValueError | TypeError | AssertionError | KeyError) and not started
    if library in {"hydra", "omegaconf"} or plain:
        raise explain(error, application.keys()) from error
    raise error


def _report(outcomes: Sequence[job.Outcome], invocation: Invocation) -> int:
    """Tell people and machines how the jobs ended; returns the exit code."""
    code = worst(outcome.exit_code for outcome in outcomes)
    for outcome in outcomes:
        if outcome.summary and not invocation.quiet:
            output.result(outcome.run or invocation.command, outcome.summary)
            if invocation.command == "bayes compare" and outcome.run:
                from cli.bayes_compare import show_comparison

                show_comparison(Path(outcome.run))
            page = Path(outcome.run or "") / "report.html"
            if page.is_file():
                output.say(f"to look at: {page}")
        if outcome.error:
            command = invocation.command if invocation.command in RESUMABLE else None
            failure = errors.Failure(**outcome.error)
            if invocation.is_sweep:
                job_name = outcome.run or " ".join(outcome.overrides)
                failure = replace(failure, message=f"{job_name}: {failure.message}")
            output.say_failure(failure, run=outcome.run, command=command)
    if invocation.as_json:
        output.emit(_as_object(outcomes, invocation, code))
    return code


def worst(codes: Iterable[int]) -> int:
    """The exit code of several jobs: interrupted, then our bug, then the user's, then untrustworthy, then done."""
    ranking = (errors.INTERRUPTED, errors.BUG, errors.USER, errors.UNTRUSTWORTHY, errors.DONE)
    return min(codes, key=ranking.index, default=errors.DONE)


def _as_object(
    outcomes: Sequence[job.Outcome], invocation: Invocation, code: int
) -> dict[str, Any]:
    parts = [
        {
            "status": output.status(outcome.exit_code),
            "run": outcome.run,
            "summary": outcome.summary,
            **({"error": outcome.error} if outcome.error else {}),
        }
        for outcome in outcomes
    ]
    if not invocation.is_sweep and len(parts) == 1:
        return {"command": invocation.command, **parts[0]}
    return {
        "command": invocation.command,
        "status": output.status(code),
        "run": None,
        "runs": parts,
    }
