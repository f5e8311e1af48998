"""The task functions that Hydra launches, one a command: they open what the work needs and hand over to it.

Module-level, so that a launcher can name them in another process. Frameworks are imported inside, after the device
is claimed: the claim decides what they may see.
"""

from __future__ import annotations

from typing import Any

from cli.job import Job, task
from cli.paths import cache_folder
from rlgrok.config import EvalConfig, TrainConfig
from runtime import devices
from runtime.progress import make_training_view


@task(TrainConfig)
def train(job: Job) -> dict[str, Any]:
    """`toolkit rl train`."""
    config = job.config()
    with (
        devices.claim(
            job.invocation.device,
            owner=str(job.folder),
            framework="torch",
            threads=config.training.threads,
        ) as claim,
        job.open_run(config) as run,
        make_training_view(quiet=job.invocation.quiet, live=job.live()) as view,
    ):
        claim.apply()
        from rlgrok.train import train as work

        return work(
            config,
            run=run,
            view=view,
            claim=claim,
            cache=cache_folder(),
            resume=job.invocation.resume is not None,
            rebuild_reference=job.invocation.rebuild,
        )


@task(EvalConfig)
def evaluate(job: Job) -> dict[str, Any]:
    """`toolkit rl eval`."""
    config = job.config()
    with (
        devices.claim(job.invocation.device, owner=str(job.folder), framework="torch") as claim,
        job.open_run(config, target=job.invocation.target) as run,
        make_training_view(quiet=job.invocation.quiet, live=job.live()) as view,
    ):
        claim.apply()
        from rlgrok.evaluate import evaluate as work

        return work(config, run=run, view=view, claim=claim)


@task(TrainConfig)
def reference(job: Job) -> dict[str, Any]:
    """`toolkit rl reference`."""
    config = job.config()
    with (
        devices.claim(
            job.invocation.device,
            owner=str(job.folder),
            framework="torch",
            threads=config.training.threads,
        ) as claim,
        job.open_run(config) as run,
        make_training_view(quiet=job.invocation.quiet, live=job.live()) as view,
    ):
        claim.apply()
        from rlgrok.make_reference import make_reference as work

        return work(
            config,
            run=run,
            view=view,
            claim=claim,
            cache=cache_folder(),
            rebuild=job.invocation.rebuild,
        )
