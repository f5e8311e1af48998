"""The task functions that Hydra launches, one a command: they open what the work needs and hand over to it.

Module-level, so that a launcher can name them in another process. Frameworks are imported inside, after the device
is claimed: the claim decides what they may see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bayesreg.compare_config import CompareConfig
from bayesreg.config import FitConfig
from bayesreg.simulate_config import CheckConfig, SimulateConfig
from cli import locking
from cli.job import Job, task
from cli.paths import cache_folder
from rlgrok.config import EvalConfig, TrainConfig
from runtime import devices
from runtime.progress import TrainingView, make_training_view


@task(TrainConfig)
def train(job: Job) -> dict[str, Any]:
    """`toolkit rl train`."""
    config = job.config()
    with _opened(job, config, threads=config.training.threads) as given:
        with _loading(**given):
            from rlgrok.train import train as work

        return work(
            config,
            **given,
            cache=cache_folder(),
            resume=job.invocation.resume is not None,
            rebuild_reference=job.invocation.rebuild,
        )


@task(EvalConfig)
def evaluate(job: Job) -> dict[str, Any]:
    """`toolkit rl eval`."""
    config = job.config()
    with _opened(job, config, target=job.invocation.target) as given:
        with _loading(**given):
            from rlgrok.evaluate import evaluate as work

        return work(config, **given)


@task(EvalConfig)
def learnability(job: Job) -> dict[str, Any]:
    """`toolkit rl learnability`."""
    config = job.config()
    with _opened(job, config, target=job.invocation.target) as given:
        with _loading(**given):
            from rlgrok.learnability import learnability as work

        return work(config, **given)


@task(TrainConfig)
def reference(job: Job) -> dict[str, Any]:
    """`toolkit rl reference`."""
    config = job.config()
    with _opened(job, config, threads=config.training.threads) as given:
        with _loading(**given):
            from rlgrok.make_reference import make_reference as work

        return work(config, **given, cache=cache_folder(), rebuild=job.invocation.rebuild)


@task(FitConfig)
def bayes_fit(job: Job) -> dict[str, Any]:
    """`toolkit bayes fit`."""
    config = job.config()
    with _opened(job, config, framework="jax") as given:
        with _loading(**given):
            from bayesreg.fit import fit as work

        return work(config, **given, cache=cache_folder(), resume=job.invocation.resume is not None)


@task(CompareConfig)
def bayes_compare(job: Job) -> dict[str, Any]:
    """`toolkit bayes compare`."""
    config = job.config()
    with _opened(job, config, framework="jax") as given:
        with _loading(**given):
            from bayesreg.compare_run import compare_run as work

        return work(config, run=given["run"], view=given["view"])


@task(SimulateConfig)
def bayes_simulate(job: Job) -> dict[str, Any]:
    """`toolkit bayes simulate`; needs no device."""
    from bayesreg.simulate_run import simulate_run

    config = job.config()
    with job.open_run(config) as run:
        return simulate_run(config, run=run)


@task(CheckConfig)
def bayes_check(job: Job) -> dict[str, Any]:
    """`toolkit bayes check`."""
    config = job.config()
    with _opened(job, config, framework="jax") as given:
        with _loading(**given):
            from bayesreg.check_run import check_run as work

        return work(config, run=given["run"], view=given["view"], cache=cache_folder())


@contextmanager
def _opened(
    job: Job,
    config: Any,  # noqa: ANN401 - an instance of the job's kind
    *,
    framework: devices.Framework = "torch",
    threads: int | None = None,
    **manifest: Any,  # noqa: ANN401 - JSON-able facts
) -> Iterator[dict[str, Any]]:
    """`claim`, `run` and `view`, opened in this order: when no device is free, no run folder is left behind."""
    with (
        devices.claim(
            job.invocation.device, owner=str(job.folder), framework=framework, threads=threads
        ) as claim,
        job.open_run(config, **manifest) as run,
        make_training_view(quiet=job.invocation.quiet, live=job.live()) as view,
        locking.noted(config, run),
    ):
        yield {"run": run, "view": view, "claim": claim}


@contextmanager
def _loading(view: TrainingView, claim: devices.DeviceClaim, **_: object) -> Iterator[None]:
    """Around the import of a framework, which takes seconds: it sees the claimed device, or the run is refused."""
    claim.apply()
    with view.task(f"loading {claim.framework} and its libraries", 1):
        yield
    verify = {"torch": devices.verify_torch, "jax": devices.verify_jax}
    verify[claim.framework](claim)
