"""`toolkit`: the tree of commands, and the boundary that turns every exception into a message and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from cli import bayes, doctor, errors, locking, output, rl, runs

app = typer.Typer(
    name="toolkit",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="When does a weak signal become a strong one? Reinforcement learning on DELTA, from a laptop to a cluster.",
    epilog="Start here:\n\n"
    "- `toolkit rl train` runs the default experiment and shows its curve live\n"
    "- `toolkit rl eval latest` evaluates what it learned\n"
    "- `toolkit rl report latest` writes a page to look at\n"
    "- `toolkit doctor` says what this machine offers\n\n"
    "Exit codes: 0 done, 1 a fault of the toolkit, 2 something to fix on the line, 3 done but not trustworthy, "
    "130 interrupted with the state saved.",
)
app.add_typer(rl.app, name="rl")
app.add_typer(bayes.app, name="bayes")
app.add_typer(runs.app, name="runs")
app.command(epilog="Examples:\n\n- `toolkit doctor`\n- `toolkit doctor --json`\n")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"toolkit {version('delta-toolkit')}")
        raise typer.Exit


@app.callback()
def toolkit(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """When does a weak signal become a strong one? Reinforcement learning on DELTA, from a laptop to a cluster."""


def main() -> NoReturn:
    """The entry point of the console script."""
    code = run(sys.argv[1:])
    output.settle()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Every exception ends here."""
    try:
        locking.name_level()
        code = int(app(args=arguments, prog_name="toolkit", standalone_mode=False) or errors.DONE)
        if (
            code == errors.INTERRUPTED
        ):  # Typer's answer to Ctrl-C before there is a run; a run tells its end itself
            _interrupted(arguments)
        return code
    except (
        SystemExit
    ) as error:  # a command that has told how it ended, Hydra's `--version`, completion
        if isinstance(error.__context__, BrokenPipeError):  # Typer's answer to one
            return errors.DONE
        return error.code if isinstance(error.code, int) else errors.DONE
    except typer.Abort:
        _interrupted(arguments)
        return errors.INTERRUPTED
    except (
        BrokenPipeError
    ):  # the reader of our standard output went away: nothing to say, nobody to say it to
        sys.stdout = None  # type: ignore[assignment] - or the interpreter complains while flushing it
        return errors.DONE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())  # type: ignore[attr-defined] - the help text of a group
            return errors.DONE
        failure = errors.describe(error)
        output.fail(failure, as_json="--json" in arguments)
        return failure.exit_code


def _interrupted(arguments: list[str]) -> None:
    output.fail(errors.describe(KeyboardInterrupt()), as_json="--json" in arguments)


if __name__ == "__main__":
    main()
