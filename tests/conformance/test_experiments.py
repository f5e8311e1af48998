"""Every experiment and every data option builds what it names, without training.

An oracle solves every problem of Manufactoria. Of BouncingSim it solves the scenes up to the level medium in which no
ball turns, as documented; what it comes to above is counted by `toolkit rl problems --check` and in the documentation.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

import conf
from cli.hydra_app import TRAIN
from cli.schema import checked
from rlgrok.config import TrainConfig
from rlgrok.delta import SCOPES
from rlgrok.delta.bouncingsim.audit import is_promised
from rlgrok.problems import build_problems
from rlgrok.training.schedule import Phase, Schedule
from rlgrok.types import DataSet

FOLDER = Path(conf.__file__).parent
MANY = 40
"""Problems judged per data option: the whole pool of a large one would only repeat them."""


def composed(*overrides: str) -> TrainConfig:
    TRAIN.register()
    with initialize_config_module(config_module="conf", version_base="1.3"):
        return checked(TrainConfig, compose(TRAIN.config_name, list(overrides)))


def built(config: TrainConfig, seed: int) -> DataSet:
    return build_problems(config.data, seed=seed, training=False)[1]


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / group).glob("*.yaml"))


@pytest.mark.parametrize("option", [name for name in options("data") if name != "records"])
def test_a_data_option_builds_problems_that_their_oracle_solves(option: str) -> None:
    # The tiny policy is taught families that some of these train on; a language model is not.
    config = composed(f"data={option}", "policy=qwen3_4b")
    data = built(config, seed=0)
    scope = SCOPES[config.data.scope]
    problems = [*data.train, *data.heldout]
    ids = {problem.id for problem in problems}
    assert len(ids) == len(problems) > 5
    assert {problem.family for problem in problems} == set(config.data.families)
    if config.data.scope == "manufactoria":  # scenes have no colours
        assert max(len(problem.colors) for problem in problems) == len(config.data.colors.value)
    if config.data.sets is None:
        share = len(data.heldout) / len(problems)
        assert share == pytest.approx(config.data.heldout_share, abs=0.02)
    else:
        assert data.heldout
    for problem in problems[:: max(1, len(problems) // MANY)]:
        if config.data.scope == "manufactoria" or is_promised(problem):
            assert scope.verify(problem, scope.oracle(problem)).full_pass, problem.id


@pytest.mark.parametrize("experiment", options("experiment"))
def test_an_experiment_builds_what_it_names(experiment: str) -> None:
    config = composed(f"experiment={experiment}")
    scope = SCOPES[config.data.scope]
    prompts = {
        scope.render_prompt(problem, config.policy.prompt)
        for problem in built(config, config.seed).train
    }
    assert len(prompts) > 10
    assert Schedule(config.schedule).phase is Phase.DENSE
    assert set(config.reference.families).isdisjoint(config.data.families)
    assert set(config.reference.families) <= set(scope.families)


@pytest.mark.parametrize("seeds", [(0, 1), (1, 2)])
def test_another_seed_holds_out_other_problems(seeds: tuple[int, int]) -> None:
    config = composed("experiment=grok_tiny")
    first, second = ({problem.id for problem in built(config, seed).heldout} for seed in seeds)
    assert first != second
