"""`toolkit rl`: train, eval, verify, simulate, report, reference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import audit, problems, serve, simulate, study, trace, transfer
from cli.completion import (
    complete_evaluation,
    complete_run,
    complete_scope,
    complete_training,
)
from cli.options import PASS_THROUGH, AsJson, Device, Out, Quiet, Runs, flags_of, invocation_of

app = typer.Typer(
    name="rl",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Reinforcement learning with verifiable rewards on the DELTA program-synthesis families.",
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OVERRIDES",
        help="`key=value`, `group=option`, and Hydra's own flags.",
        autocompletion=complete_training,
    ),
]


@app.command(
    context_settings=PASS_THROUGH,
    epilog="Examples:\n\n"
    "- `toolkit rl train` runs the default experiment, grok_tiny\n"
    "- `toolkit rl train schedule=binary seed=3 training.max_steps=400`\n"
    "- `toolkit rl train --multirun seed=0,1,2 hydra/launcher=joblib`\n"
    "- `toolkit rl train experiment=has_staged --device cuda:0`\n"
    "- `toolkit rl train --cfg job` shows the config, nothing runs\n"
    "- `toolkit rl train --resume latest`\n\n"
    "Groups, each a folder of `conf/`: data, policy, reference, schedule, replay, curriculum, sampling, feedback, "
    "entropy, optimizer, training, evaluation, checkpoint, tracking, experiment, tests, reward, debug. "
    "`--info defaults` says what is chosen, completion "
    "offers the options, a wrong one is answered with the right ones.",
)
def train(
    ctx: typer.Context,
    overrides: Overrides = None,
    device: Device = "auto",
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Continue this run exactly: a path, a part of its name, or `latest`.",
            autocompletion=complete_run,
        ),
    ] = None,
    rebuild_reference: Annotated[
        bool,
        typer.Option(
            "--rebuild-reference", help="Make the reference policy again although it is cached."
        ),
    ] = False,
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a policy and watch whether, when and how abruptly it learns."""
    from cli.hydra_app import TRAIN, execute, read_line
    from cli.targets import find_training

    line = read_line(overrides or [], flags_of(ctx))
    found = str(find_training(root, resume)) if resume is not None else None
    invocation = invocation_of(
        "rl train",
        line.overrides,
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
        resume=found,
        rebuild=rebuild_reference,
    )
    sys.exit(execute(TRAIN, line, invocation))


@app.command(
    "eval",
    context_settings=PASS_THROUGH,
    epilog="Examples:\n\n"
    "- `toolkit rl eval latest` evaluates the run that was started last\n"
    "- `toolkit rl eval latest evaluation.draws=1024` adds to the draws that are there\n"
    "- `toolkit rl eval models/mine data=contains_substring policy.prompt=full`\n"
    "- `toolkit rl eval Qwen/Qwen3-4B-Instruct-2507 policy=qwen3_4b data=has`\n"
    "- `toolkit rl eval scope=bouncingsim` tries the other scope with an untrained policy\n"
    "- `toolkit rl eval oracle scope=bouncingsim`\n",
)
def evaluate(
    ctx: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|POLICY|OVERRIDES",
            help="A run (path, part of its name, `latest`), a model folder or a hub id; then overrides.",
            autocompletion=complete_evaluation,
        ),
    ] = None,
    device: Device = "auto",
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a run or a policy: pass@k with exact intervals, per test, full pass and exhaustive."""
    from cli.hydra_app import EVALUATE, execute, read_line
    from cli.targets import preset_for, split_target

    line = read_line(arguments or [], flags_of(ctx))
    name, line = split_target(line)
    preset = preset_for(name, line, root) if line.runs else []
    invocation = invocation_of(
        "rl eval",
        line.overrides,
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
        target=name,
    )
    sys.exit(execute(EVALUATE, line, invocation, preset))


LEARNABILITY_PRESET = (
    "evaluation.draws=2048",
    "evaluation.k=[1,2,4,8,16,32,64,128,256,512,1024]",
    "evaluation.compare_base=false",
    "name=learnability",
)
"""Before the run's own settings and the line's, which win."""


@app.command(
    context_settings=PASS_THROUGH,
    epilog="Examples:\n\n"
    "- `toolkit rl learnability latest` asks it of the policy that a run made\n"
    "- `toolkit rl learnability runs/.../base data=contains_ordered` of what it started from\n"
    "- `toolkit rl learnability models/mine data=has evaluation.draws=4096` adds to the draws that are there\n\n"
    "Solved: the mean pass@k over a family's problems is at least .9 with 95 % confidence; unsolved: at most .1; "
    "partly: neither; undecided: more draws would tell.",
)
def learnability(
    ctx: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|POLICY|OVERRIDES",
            help="A run (path, part of its name, `latest`), a model folder or a hub id; then overrides.",
            autocompletion=complete_evaluation,
        ),
    ] = None,
    device: Device = "auto",
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say of each family whether a policy solves it at k, partly or not, with exact bounds: the pass@k curve."""
    from cli.hydra_app import LEARNABILITY, execute, read_line
    from cli.targets import preset_for, split_target

    line = read_line(arguments or [], flags_of(ctx))
    name, line = split_target(line)
    preset = [*(preset_for(name, line, root) if line.runs else []), *LEARNABILITY_PRESET]
    invocation = invocation_of(
        "rl learnability",
        line.overrides,
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
        target=name,
    )
    sys.exit(execute(LEARNABILITY, line, invocation, preset))


@app.command(
    epilog="Examples:\n\n"
    "- `toolkit rl verify --scope manufactoria --in programs.jsonl --out verdicts.jsonl`\n"
    "- `toolkit rl verify < programs.jsonl | head`\n\n"
    'Each line in: `{"dsl": ..., "test_cases": [...]}`. Each line out: `valid`, `all_passed`, `results`, '
    "`pass_rate`, `full_pass`. Exit code 2 when a line is no record; its own line out says why.",
)
def verify(
    scope: Annotated[
        str,
        typer.Option(help="Which part of the benchmark judges.", autocompletion=complete_scope),
    ] = "manufactoria",
    source: Annotated[
        Path,
        typer.Option("--in", metavar="FILE", help="One JSON record a line; `-` is standard input."),
    ] = Path("-"),
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Verdicts, one a line; standard output without it."),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge programs against their tests, one JSON record a line in, one JSON line out."""
    from cli.verify import verify_file

    sys.exit(verify_file(scope, source, out, quiet=quiet, as_json=as_json))


@app.command(
    context_settings=PASS_THROUGH,
    epilog="Examples:\n\n"
    "- `toolkit rl reference` makes the one of the default experiment, or says where it is\n"
    "- `toolkit rl reference seed=3 --rebuild`\n",
)
def reference(
    ctx: typer.Context,
    overrides: Overrides = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make it again although it is cached.")
    ] = False,
    device: Device = "auto",
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make the tiny reference policy that training starts from, and prove that it fails on the target."""
    from cli.hydra_app import REFERENCE, execute, read_line

    line = read_line(overrides or [], flags_of(ctx))
    invocation = invocation_of(
        "rl reference",
        line.overrides,
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
        rebuild=rebuild,
    )
    sys.exit(execute(REFERENCE, line, invocation))


@app.command(epilog="Example:\n\n- `toolkit rl report latest`\n")
def report(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A path, a part of a name, or `latest`.",
            autocompletion=complete_run,
        ),
    ],
    root: Annotated[Path, typer.Option("--root", help="The folder of the runs.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Write `report.html` of a run from its artefacts."""
    from cli.runs import write_report

    write_report(run, root=root, as_json=as_json)


app.command(epilog=audit.EPILOG)(audit.audit)
app.command(epilog=problems.EPILOG)(problems.problems)
app.command(epilog=serve.EPILOG)(serve.serve)
app.command(epilog=simulate.EPILOG)(simulate.simulate)
app.command(epilog=study.EPILOG)(study.study)
app.command(epilog=trace.EPILOG)(trace.trace)
app.command(epilog=transfer.EPILOG)(transfer.transfer)
