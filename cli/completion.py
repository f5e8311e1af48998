"""Shell completion of runs, config groups, keys and values, through Typer's protocol and Hydra's query.

Bash splits a word at `=`, zsh and fish do not; both arrive here and are put together first. Completion never fails
loudly: a config that does not compose completes to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cli.hydra_app import Application


def complete_training(ctx: typer.Context, incomplete: str) -> list[str]:
    """Overrides of `toolkit rl train`."""
    from cli.hydra_app import TRAIN

    return complete_overrides(TRAIN, ctx.params.get("overrides") or [], incomplete)


def complete_evaluation(ctx: typer.Context, incomplete: str) -> list[str]:
    """What to evaluate, then overrides of `toolkit rl eval`."""
    from cli.hydra_app import EVALUATE

    words = ctx.params.get("arguments") or []
    overrides = complete_overrides(EVALUATE, words, incomplete, num_targets=1)
    has_target = any("=" not in word and not word.startswith("-") for word in words)
    return (
        overrides if has_target or "=" in incomplete else complete_run(ctx, incomplete) + overrides
    )


def complete_fit(ctx: typer.Context, incomplete: str) -> list[str]:
    """Overrides of `toolkit bayes fit`."""
    from cli.hydra_app import FIT

    return complete_overrides(FIT, ctx.params.get("overrides") or [], incomplete)


def complete_compare(ctx: typer.Context, incomplete: str) -> list[str]:
    """Overrides of `toolkit bayes compare`."""
    from cli.hydra_app import COMPARE

    return complete_overrides(COMPARE, ctx.params.get("overrides") or [], incomplete)


def complete_simulation(ctx: typer.Context, incomplete: str) -> list[str]:
    """Overrides of `toolkit bayes simulate`."""
    from cli.hydra_app import SIMULATE

    return complete_overrides(SIMULATE, ctx.params.get("overrides") or [], incomplete)


def complete_check(ctx: typer.Context, incomplete: str) -> list[str]:
    """Overrides of `toolkit bayes check`."""
    from cli.hydra_app import CHECK

    return complete_overrides(CHECK, ctx.params.get("overrides") or [], incomplete)


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs below `--root`, newest first."""
    from runtime.run import list_runs

    root = Path(ctx.params.get("root") or "runs")
    names = [info.path.relative_to(root).as_posix() for info in reversed(list_runs(root))]
    return [name for name in ["latest", *names] if name.startswith(incomplete)] if names else []


def complete_device(incomplete: str) -> list[str]:
    """What `--device` accepts on this machine."""
    from runtime.devices import list_gpus

    names = ["auto", "cpu", *(f"cuda:{number}" for number in range(len(list_gpus().gpus)))]
    return [name for name in names if name.startswith(incomplete)]


def complete_scope(incomplete: str) -> list[str]:
    """The parts of the benchmark."""
    from rlgrok.delta import SCOPES

    return [name for name in SCOPES if name.startswith(incomplete)]


def complete_problems(incomplete: str) -> list[str]:
    """Data sets and families."""
    from rlgrok.delta import SCOPES

    names = [
        name
        for scope in SCOPES.values()
        if scope.library is not None
        for name in (*scope.library.names(), *scope.families)
    ]
    return [name for name in names if name.startswith(incomplete)]


def complete_audit(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of problems, then overrides of the data config."""
    from cli.hydra_app import EVALUATE

    words = [word for word in ctx.params.get("words") or [] if "=" in word]
    if not "data".startswith(incomplete[:4]):
        return complete_problems(incomplete)
    return complete_problems(incomplete) + complete_overrides(EVALUATE, words, incomplete or "data")


def complete_overrides(
    application: Application, words: Sequence[str], incomplete: str, num_targets: int = 0
) -> list[str]:
    """What may follow on a line of overrides.

    Args:
        application: whose config is completed.
        words: the finished words of the line, as the shell split them.
        incomplete: the word under the cursor, empty for a new one.
        num_targets: leading words that are no overrides.
    """
    before, current, given = _joined(words, incomplete, application.keys(), num_targets)
    matches = _query(application, before, current)
    if len(matches) == 1 and matches[0] != current and matches[0].endswith(("=", ".")):
        # A shell ends a word at its only match; with what may come after `=` or `.` beside it, it does not.
        matches += [
            match for match in _query(application, before, matches[0]) if match not in matches
        ]
    return [match.removeprefix(given) for match in matches]


def _joined(
    words: Sequence[str], incomplete: str, keys: Sequence[str], num_targets: int
) -> tuple[list[str], str, str]:
    """Undo the split at `=`: whole words before, the word under the cursor, and its part that the shell will keep."""
    whole: list[str] = []
    for word in words:
        if whole and (word == "=" or whole[-1].endswith("=")) and not word.startswith("--"):
            whole[-1] += word
        else:
            whole.append(word)
    if whole and whole[-1].endswith("=") and words[-1] == "=":
        given = whole.pop()
        return whole, given + incomplete, given
    bare = [word for word in whole if "=" not in word and not word.startswith("-")]
    if whole and not incomplete and bare and whole[-1] is bare[-1]:
        # The cursor stands right after `key=`, and Typer has dropped the `=`; unless the word is a target.
        if whole[-1] in keys or len(bare) > num_targets:
            given = whole.pop() + "="
            return whole, given, given
    return whole, incomplete, ""


def _query(application: Application, before: Sequence[str], current: str) -> list[str]:
    from cli.schema import allowed_values

    key, equals, value = current.partition("=")
    words = allowed_values(application.kind, key) if equals else []
    if words:
        return [f"{key}={word}" for word in words if word.startswith(value)]
    context = [word for word in before if "=" in word or word == "--multirun"]
    return _hydra_query(application, " ".join([*context, current]))


def _hydra_query(application: Application, line: str) -> list[str]:
    """Hydra's own completion of a line of overrides."""
    from hydra import initialize_config_module
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.core.global_hydra import GlobalHydra

    application.register()
    with initialize_config_module(config_module="conf", version_base="1.3"):
        plugin = BashCompletion(GlobalHydra.instance().config_loader())
        try:
            found = set(plugin._query(application.config_name, line))
        except (Exception, SystemExit):  # noqa: BLE001 - an unfinished line may be anything
            return []
    return sorted(
        match for match in found if match.count("=") < 2
    )  # it counts through lists: key=0=
