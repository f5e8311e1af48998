"""What the ingredients of the recipe cost: steps with them and without, taking turns in one process.

    python benchmarks/bench_ingredients.py [--steps 12] [--out benchmarks/results/ingredients.json]

Three trainings of the same base policy, each through the real trainer, session and hooks of `toolkit rl train`, pass a
baton after every step, so that a machine whose speed drifts is fair to all:

* `plain`: the trainer with its entropy bonus, a dense reward, and nothing else.
* `steering`: staged schedule, replay, adaptive curriculum, sizes of groups over time. They ask for no more completions.
* `everything`: these, and two attempts with feedback and dynamic sampling, which do.

Seconds are CPU seconds of the step's thread:

* `first draw`: every completion's first attempt.
* `extra draws`: further attempts and resampled groups, work that was asked for.
* `texts`: finding out what is wrong with a failed attempt, and saying it.
* `verdicts`: running programs on their tests; a further attempt asks for one more, as it asks for a draw.
* `bookkeeping`: what is left of our own: decoding, store, curriculum, schedule, metrics, rollouts to disk.
* `update`: the trainer, from the completions to the new weights. Feedback makes completions longer, so this is work
  that was asked for, too; `tokens` says how much longer the padded batch is.

`steering` is compared with `plain` by whole steps. Of `everything` the texts and the bookkeeping beyond the plain
step's are given as a share of the plain step and of its own; extra draws, their verdicts and the longer update are
listed apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from cli.hydra_app import TRAIN, composed
from cli.paths import cache_folder
from rlgrok import train
from rlgrok.config import TrainConfig
from rlgrok.policy import Policy, load_policy, quiet_libraries, save_policy
from rlgrok.problems import build_problems
from rlgrok.reference import get_reference
from rlgrok.train import make_session, make_trainer
from rlgrok.training import rollouts
from rlgrok.training.verification import Verifier
from rlgrok.types import PromptStyle
from runtime.progress import SilentView
from runtime.run import Run
from runtime.settings import as_plain

COMMON = (
    "reference=tiny_feedback",
    "policy=tiny_feedback",
    # A base that writes programs and ends them; what it is proved to fail at does not matter here.
    "reference.steps=300",
    "reference.proof_draws=64",
    "reference.proof_k=1",
    "evaluation.every=100000",
    "checkpoint.every=100000",
    "training.stop_full_pass=null",
)
STEERING = ("curriculum=adaptive", "sampling.group_steps=[1,3]", "sampling.group_sizes=[64,32]")
WAYS = {
    "plain": ("schedule=dense", "replay=none"),
    "steering": STEERING,
    "everything": (*STEERING, "sampling.resample_rounds=3", "feedback=cases"),
}
WARM_UP = 2
"""Steps of each way that are not counted."""


@dataclass
class Step:
    """CPU seconds of a step's parts, and the tokens of its padded batch."""

    total: float = 0.0
    first_draw: float = 0.0
    extra_draws: float = 0.0
    texts: float = 0.0
    verdicts: float = 0.0
    bookkeeping: float = 0.0
    tokens: float = 0.0
    further_attempts: float = 0.0
    resampled: float = 0.0
    replayed: float = 0.0

    @property
    def update(self) -> float:
        """What drawing and bookkeeping leave."""
        return self.total - self.first_draw - self.extra_draws - self.texts - self.verdicts - self.bookkeeping


@dataclass
class Baton:
    """Whose turn it is."""

    turn: int = 0
    left: set[int] = field(default_factory=lambda: set(range(len(WAYS))))
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, who: int) -> None:
        """Wait for the turn."""
        with self.changed:
            self.changed.wait_for(lambda: self.turn == who)

    def pass_on(self, who: int, *, last: bool = False) -> None:
        """Give it to the next one that has steps left."""
        with self.changed:
            if last:
                self.left.discard(who)
            others = sorted(self.left, key=lambda other: (other - who - 1) % len(WAYS))
            self.turn = others[0] if others else -1
            self.changed.notify_all()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=12, help="counted steps of each way")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ingredients.json"))
    arguments = parser.parse_args()
    quiet_libraries()
    torch.set_num_threads(1)
    clock = threading.local()
    with tempfile.TemporaryDirectory() as scratch, timed_draws(clock), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(scratch)
        base = make_base(folder / "base")
        baton, found, threads, failures = Baton(), {}, [], []
        for who, (way, overrides) in enumerate(WAYS.items()):
            found[way] = []
            go = prepare(folder / way, base, overrides, WARM_UP + arguments.steps, who, baton, clock, found[way])
            threads.append(threading.Thread(target=guarded, args=(go, who, baton, failures)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
    table = {way: medians(steps[WARM_UP:]) for way, steps in found.items()}
    result = {**overhead(table), "steps": arguments.steps, "median": table}
    report(table)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def compose(*overrides: str) -> TrainConfig:
    """A config as `toolkit rl train` composes it."""
    return composed(TRAIN, [*COMMON, *overrides])


def make_base(folder: Path) -> Path:
    """The base policy of both, made once and kept where every reference policy is."""
    config = compose(*WAYS["everything"])
    scope, data = build_problems(config.data, seed=0)
    problems = (*data.train, *data.heldout)
    reference = get_reference(
        config.reference,
        targets=problems,
        prompts=[scope.render_prompt(problem, PromptStyle.COMPACT) for problem in problems],
        verifier=Verifier(scope, {problem.id: problem for problem in problems}),
        colors=config.data.colors.value,
        max_new_tokens=config.policy.max_new_tokens,
        grammar=config.policy.grammar,
        seed=0,
        device="cpu",
        cache=cache_folder(),
        rebuild=False,
        view=SilentView(),
        on_event=lambda *args, **fields: None,
    )
    save_policy(reference.policy, folder)
    return folder


def prepare(
    folder: Path,
    base: Path,
    overrides: tuple[str, ...],
    num_steps: int,
    who: int,
    baton: Baton,
    clock: threading.local,
    steps: list[Step],
) -> Callable[[], None]:
    """A training that takes its turns, ready to go; its steps are put into `steps`."""
    config = compose(*overrides, f"training.max_steps={num_steps}", f"policy.source={base}")
    scope, data = build_problems(config.data, seed=0)
    problems = {problem.id: problem for problem in (*data.train, *data.heldout)}
    prompts = {name: scope.render_prompt(p, PromptStyle.COMPACT) for name, p in problems.items()}
    policy: Policy = load_policy(str(base), prompt=PromptStyle.COMPACT, device="cpu", dtype="float32")
    run = Run.create(
        folder, command="rl train", name="x", argv=[], config=as_plain(config), overrides=[], seeds={}
    )
    session = make_session(
        config,
        run,
        SilentView(),
        data,
        prompts,
        policy,
        Verifier(TimedScope(scope, clock), problems, judge=config.judge),  # type: ignore[arg-type]
    )
    session.after_save = lambda step, path: None  # type: ignore[method-assign]
    with patched(train, "feedback_writer", texts_timed(train.feedback_writer, clock)):
        trainer = make_trainer(config, run, scope, data, prompts, policy, session)
    (callback,) = [c for c in trainer.callback_handler.callbacks if hasattr(c, "_hooks")]
    hooks = callback._hooks

    def before_step() -> None:
        baton.take(who)
        clock.step = Step()
        clock.started = time.thread_time()
        hooks.before_step()

    def after_step(number: int) -> bool:
        with bookkept(clock):
            return hooks.after_step(number)

    def after_log(number: int, logs: Any) -> None:  # noqa: ANN401 - the library's
        with bookkept(clock):
            hooks.after_log(number, logs)
        step = clock.step
        step.total = time.thread_time() - clock.started
        step.further_attempts = float(session.record.further_attempts)
        step.resampled = float(session.record.resampled)
        step.replayed = float(sum(r.is_replayed for r in session.record.rollouts))
        longest = max(len(r.completion.token_ids) for r in session.record.rollouts)
        step.tokens = float(longest * len(session.record.rollouts))
        steps.append(step)
        baton.pass_on(who, last=number == num_steps)

    callback._hooks = replace(
        hooks, before_step=before_step, after_step=after_step, after_log=after_log,
        after_save=lambda number, path: None,
    )  # fmt: skip
    trainer.rollout_func = bookkeeping_of(trainer.rollout_func, clock)
    trainer.reward_funcs = [bookkeeping_of(one, clock) for one in trainer.reward_funcs]
    return trainer.train


class TimedScope:
    """A scope whose verdicts go to an account of their own."""

    def __init__(self, scope: Any, clock: threading.local) -> None:  # noqa: ANN401 - any scope
        self._scope, self.verify = scope, bookkeeping_of(scope.verify, clock, "verdicts")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - passed on
        return getattr(self._scope, name)


@contextmanager
def patched(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """The module with another value, for a while."""
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


def texts_timed(make: Callable[..., Any], clock: threading.local) -> Callable[..., Any]:
    """The maker of what writes feedback, whose texts go to an account of their own."""

    def timed(*args: Any) -> Any:  # noqa: ANN401 - passed on
        write = make(*args)
        return None if write is None else bookkeeping_of(write, clock, "texts")

    return timed


def guarded(go: Callable[[], None], who: int, baton: Baton, failures: list[BaseException]) -> None:
    """A failure of one must not leave the other waiting."""
    try:
        go()
    except BaseException as error:  # noqa: BLE001 - raised again by the main thread
        failures.append(error)
        baton.pass_on(who, last=True)


@contextmanager
def timed_draws(clock: threading.local) -> Iterator[None]:
    """Every draw goes to the step's account: the first of a step is the same work in both, the others are extra."""
    original = rollouts.sample_tokens

    def timed(*args: Any, **settings: Any) -> Any:  # noqa: ANN401 - passed on
        started = time.thread_time()
        result = original(*args, **settings)
        spent = time.thread_time() - started
        if clock.step.first_draw == 0.0:
            clock.step.first_draw = spent
        else:
            clock.step.extra_draws += spent
        clock.step.bookkeeping -= spent  # it happened inside what is counted as bookkeeping
        return result

    rollouts.sample_tokens = timed
    try:
        yield
    finally:
        rollouts.sample_tokens = original


@contextmanager
def bookkept(clock: threading.local, part: str = "bookkeeping") -> Iterator[None]:
    """Put the time to a part of the step; what is no bookkeeping is inside it, and taken off."""
    started = time.thread_time()
    yield
    spent = time.thread_time() - started
    setattr(clock.step, part, getattr(clock.step, part) + spent)
    if part != "bookkeeping":
        clock.step.bookkeeping -= spent


def bookkeeping_of(
    function: Callable[..., Any], clock: threading.local, part: str = "bookkeeping"
) -> Callable[..., Any]:
    """The function, timed; draws and texts inside it are taken off again."""

    def timed(*args: Any, **settings: Any) -> Any:  # noqa: ANN401 - passed on
        with bookkept(clock, part):
            return function(*args, **settings)

    timed.__name__ = getattr(function, "__name__", "timed")
    return timed


PARTS = ("total", "first_draw", "extra_draws", "texts", "verdicts", "bookkeeping", "update")
COUNTS = ("tokens", "further_attempts", "resampled", "replayed")


def medians(steps: list[Step]) -> dict[str, float]:
    """Medians of every part over the steps; means of the counts."""
    times = {name: statistics.median(getattr(step, name) for step in steps) for name in PARTS}
    counts = {name: statistics.fmean(getattr(step, name) for step in steps) for name in COUNTS}
    return {**times, **counts}


def overhead(table: dict[str, dict[str, float]]) -> dict[str, float]:
    """The ingredients' cost: as such, and with all that was asked for."""
    plain, steering, full = table["plain"], table["steering"], table["everything"]
    further = full["texts"] + full["bookkeeping"] - plain["bookkeeping"]
    return {
        "steering_bookkeeping_over_plain_step": (steering["bookkeeping"] - plain["bookkeeping"]) / plain["total"],
        "steering_whole_step_ratio": steering["total"] / plain["total"],
        "everything_texts_and_bookkeeping_over_plain_step": further / plain["total"],
        "everything_texts_and_bookkeeping_over_own_step": further / full["total"],
        "everything_whole_step_ratio": full["total"] / plain["total"],
    }


def report(table: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    names = (*PARTS, *COUNTS)
    print(f"{'median CPU s a step':32}" + "".join(f"{way:>14}" for way in table))
    for name in names:
        print(f"{name.replace('_', ' '):32}" + "".join(f"{row[name]:14.3f}" for row in table.values()))
    print()
    for name, value in overhead(table).items():
        print(f"{name.replace('_', ' '):52}{value:8.3f}")


if __name__ == "__main__":
    main()
