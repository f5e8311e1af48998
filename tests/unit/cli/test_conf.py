"""Every file under `conf/` composes against its schema and survives a round trip."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import conf
from bayesreg import compare_config, simulate_config
from bayesreg import config as bayes_config
from bayesreg.config import InferenceKind
from bayesreg.types import CONFIGURATIONS
from cli.hydra_app import CHECK, COMPARE, EVALUATE, FIT, SIMULATE, TRAIN, Application
from cli.schema import checked
from rlgrok import config, ingredients
from rlgrok.config import Colors, ScheduleKind
from rlgrok.types import PromptStyle, TestSource
from runtime.settings import as_plain, from_plain

FOLDER = Path(conf.__file__).parent
ROOTS = {
    "rl_train": TRAIN,
    "rl_eval": EVALUATE,
    "bayes_fit": FIT,
    "bayes_compare": COMPARE,
    "bayes_simulate": SIMULATE,
    "bayes_check": CHECK,
}
_TABLES = ("tables.x=[x.csv]", "tables.y=[y.csv]")
_TWO_ATTEMPTS = ("reference=tiny_feedback", "policy=tiny_feedback")
NEEDS = {
    "training/cluster": ["replay=none"],
    "data/records": ["data.sets=[problems.jsonl]"],
    **dict.fromkeys((f"model/{name}" for name in CONFIGURATIONS), _TABLES),
    **dict.fromkeys((f"inference/{kind.value}" for kind in InferenceKind), _TABLES),
    "curriculum/sets": ["data=stepwise_1_regex", "policy=qwen3_4b"],
    "checkpoint/climb": ["evaluation=climb"],
    **dict.fromkeys(
        ("feedback/cases", "feedback/cases_mean", "feedback/counts", "feedback/leaking"), _TWO_ATTEMPTS
    ),
}
"""What goes with an option: where the default of another group does not, or what only the user knows."""
ANY_DATA = "policy=qwen3_4b"
"""The tiny policy is taught families that some data options train on; a language model is not."""
PRESETS = {name for root in ROOTS.values() for name in root.presets}
"""Groups that choose options of others and are no part of the config."""
PLANS = ("study", "transfer")
"""Folders of plans, each a matrix of overrides: no config groups."""
OPTIONS = sorted(
    str(path.relative_to(FOLDER).with_suffix(""))
    for path in FOLDER.glob("*/*.yaml")
    if path.parent.name not in PLANS
)


def compose(application: Application, *overrides: str) -> Any:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    application.register()
    with initialize_config_module(config_module="conf", version_base="1.3"):
        return checked(application.kind, hydra_compose(application.config_name, list(overrides)))


def groups_of(application: Application) -> set[str]:
    return {key for key in application.keys() if (FOLDER / key).is_dir()}


def cases() -> Iterator[tuple[str, str]]:
    for option in OPTIONS:
        group = option.partition("/")[0]
        for name, application in ROOTS.items():
            # Forty data options of one schema: a second root would find nothing new.
            if group in groups_of(application) and (group != "data" or name == "rl_train"):
                yield name, option


def test_every_file_is_a_root_or_an_option_of_a_group() -> None:
    roots = {path.stem for path in FOLDER.glob("*.yaml")}
    assert roots == set(ROOTS)
    groups = set().union(*(groups_of(application) for application in ROOTS.values()))
    assert {option.partition("/")[0] for option in OPTIONS} == groups
    assert all(len(path.relative_to(FOLDER).parts) <= 2 for path in FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize(("root", "option"), list(cases()))
def test_every_option_composes_and_survives_a_round_trip(root: str, option: str) -> None:
    application = ROOTS[root]
    group, _, name = option.partition("/")
    needs = [*NEEDS.get(option, []), *([ANY_DATA] if group == "data" else [])]
    if not any(key.startswith("tables.") for key in application.keys()):
        needs = [override for override in needs if override not in _TABLES]
    config = compose(application, f"{group}={name}", *needs)
    plain = as_plain(config)
    again = yaml.safe_load(yaml.safe_dump(plain, sort_keys=False))
    assert from_plain(application.kind, again) == config
    assert as_plain(checked(application.kind, again)) == plain


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.partition("/")[0] not in PRESETS])
def test_an_option_sets_every_field_of_its_group(option: str) -> None:
    group = option.partition("/")[0]
    given = yaml.safe_load((FOLDER / f"{option}.yaml").read_text())
    owner = next(root for root in ROOTS.values() if group in groups_of(root))
    fields = [key.removeprefix(f"{group}.") for key in owner.keys() if key.startswith(f"{group}.")]
    assert list(given) == fields


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_says_what_it_is_for(option: str) -> None:
    lines = (FOLDER / f"{option}.yaml").read_text().splitlines()
    comments = [line for line in lines[:2] if line.startswith("# ") and "@package" not in line]
    assert comments and len(comments[0]) > 20


def test_every_field_says_what_it_is() -> None:
    """A docstring under each; a group as a whole is described by its own class."""
    silent = []
    modules = (config, ingredients, bayes_config, compare_config, simulate_config)
    for kind in [kind for module in modules for kind in ast.parse(inspect.getsource(module)).body]:
        body = kind.body if isinstance(kind, ast.ClassDef) else []
        for field, after in zip(body, [*body[1:], None], strict=False):
            if isinstance(field, ast.AnnAssign) and not ast.unparse(field.annotation).endswith(
                "Config"
            ):
                described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                silent += [] if described else [f"{kind.name}.{ast.unparse(field.target)}"]
    assert silent == []


@pytest.mark.parametrize("experiment", [p.stem for p in (FOLDER / "experiment").glob("*.yaml")])
def test_an_experiment_names_itself_and_chooses_every_group(experiment: str) -> None:
    text = (FOLDER / "experiment" / f"{experiment}.yaml").read_text()
    chosen = set(re.findall(r"override /(\w+):", text))
    assert chosen == groups_of(TRAIN) - {"tracking", *TRAIN.presets}
    assert compose(TRAIN, f"experiment={experiment}").name == experiment


def test_the_plain_command_is_the_default_experiment() -> None:
    assert compose(TRAIN) == compose(TRAIN, "experiment=grok_tiny")


def test_the_line_wins_over_the_experiment() -> None:
    config = compose(TRAIN, "experiment=has_staged", "schedule=binary", "training.max_steps=7")
    assert config.schedule.kind is ScheduleKind.BINARY
    assert config.training.max_steps == 7
    assert config.policy.source == "Qwen/Qwen3-4B-Instruct-2507"


def test_a_scope_chooses_data_and_the_line_still_wins() -> None:
    assert compose(EVALUATE, "scope=bouncingsim").data.sets == ["singles"]
    assert compose(EVALUATE, "scope=bouncingsim", "data=bouncingsim_gravity").data.sets == [
        "gravity"
    ]
    assert compose(EVALUATE, "scope=manufactoria") == compose(EVALUATE)


def test_values_become_members_of_our_own_enums() -> None:
    config = compose(TRAIN)
    assert config.data.colors is Colors.TWO
    assert config.data.tests is TestSource.LADDER
    assert config.policy.prompt is PromptStyle.COMPACT
    assert isinstance(config.optimizer.weight_decay, float)


def test_the_paper_recipe_has_the_papers_numbers() -> None:
    config = compose(TRAIN, "experiment=has_staged")
    training = config.training
    assert training.prompts_per_step * training.group_size == 768
    assert training.max_steps == 1_000_000 // 768
    assert (training.clip_low, training.clip_high, training.kl_coef) == (0.2, 0.3, 0.0)
    assert config.optimizer.learning_rate == 5e-7
    assert config.policy.max_new_tokens == 8192
    assert training.rollout == "vllm"
    # The mean over tokens: with micro-batches of one, `bnpo` would be that over completions.
    assert (training.loss_type, training.micro_batch_size) == ("dapo", 1)
