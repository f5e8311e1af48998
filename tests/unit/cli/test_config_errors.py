"""What a mistake on the line says: one line, the key's path, what was meant; exit code 2; nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.config_errors import suggestion, unknown_flag

MISTAKES = [
    (
        "entropy.final_target=0.1",
        "the entropy's target has no steps to move in; got anneal_steps=0 with final_target=0.1;",
    ),
    ("entropy=annealed entropy.final_target=-1", "an entropy is not negative; got -1"),
    ("training.max_step=1", "unknown key training.max_step, did you mean training.max_steps?"),
    ("+training.max_step=1", "unknown key training.max_step, did you mean training.max_steps?"),
    ("max_steps=3", "unknown key max_steps, did you mean training.max_steps?"),
    ("schedul=staged", "unknown key schedul, did you mean schedule?"),
    ("exprement=grok_tiny", "unknown key exprement, did you mean experiment?"),
    ("+training.foo=1", "unknown key training.foo; expected one of training.max_steps"),
    (
        "schedule=stagd",
        "no such option, did you mean staged?; got stagd; "
        "expected binary, dense, mixed, staged, staged_families, staged_plateau",
    ),
    ("experiment=nope", "no such option; got nope; expected grok_four, grok_tiny, has_staged; at experiment"),
    ("hydra/launcher=jobli", "no such option, did you mean joblib?; got jobli"),
    ("training.max_steps=abc", "got abc; expected a whole number; at training.max_steps"),
    ("training.max_steps=1.5", "got 1.5; expected a whole number; at training.max_steps"),
    ("training.max_steps=", "got ''; expected a whole number; at training.max_steps"),
    ("optimizer.learning_rate=fast", "got fast; expected a number; at optimizer.learning_rate"),
    ("replay.enabled=maybe", "got maybe; expected true or false; at replay.enabled"),
    (
        "training.max_steps=null",
        "got null; expected a value, null is not allowed; at training.max_steps",
    ),
    ("schedule.kind=steged", "got steged; expected dense, binary, staged, mixed; at schedule.kind"),
    ("data.lengths=3", "got 3; expected a list, [a,b]; at data.lengths"),
    ("data.lengths=[1,x]", "got x; expected a whole number; at data.lengths[1]"),
    (
        "data.lengths=[1,99]",
        "value out of range; got 99; expected at least 1 and at most 12; at data.lengths[1]",
    ),
    (
        "training.max_steps=0",
        "value out of range; got 0; expected at least 1; at training.max_steps",
    ),
    ("optimizer.learning_rate=inf", "value out of range; got inf"),
    (
        "training.rollout=magic",
        "not one of the choices; got magic; expected cached, trl, vllm; at training.rollout",
    ),
    (
        "reference.families=[contains_ordered]",
        "may not be taught a target family; got contains_ordered",
    ),
    ("reference.families=[]", "the reference policy is taught nothing; got []"),
    ("policy.prompt=full", "reads compact prompts only; got full; expected compact"),
    ("schedule.switch_on=step", "schedule.switch_on=step needs schedule.switch_step"),
    ("schedule.switch_step=1", "got 1; expected at least 2; at schedule.switch_step"),
    ("schedule.plateau_delta=0", "got 0.0; expected above 0 and at most 1"),
    (
        "training.rollout=trl replay=one",
        "replay needs our own sampler; got replay.enabled=true with training.rollout=trl",
    ),
    (
        "training.group_size=4 replay.per_group=4",
        "replay leaves a group no completion of its own; got 4 of 4",
    ),
    ("replay.capacity=1 replay.per_group=2", "more stored successes than are kept; got 2 of 1"),
    (
        "training.micro_batch_size=7 training.prompts_per_step=3 training.group_size=4",
        "does not divide the completions of a step; got 7 with 3 x 4 = 12; expected a divisor of 12",
    ),
    ("evaluation.k=[]", "no k of pass@k is named"),
    ("evaluation.draws=1 evaluation.k=[1,4]", "needs at least k draws; got k=4 with draws=1"),
    ("training.max_steps=1,2", "several values for one key; got training.max_steps=1,2; expected"),
    ("~training.max_steps", "a key of the schema cannot be removed; got ~training.max_steps"),
    ("~training", "a value is missing; expected training=VALUE on the command line; at training"),
    ("training=null", "a config group takes the name of an option; got null"),
    ("trainig", "not an override; got trainig; expected key=value"),
    ("a b", "not an override"),
    ("[a", "not an override; got [a"),
    ("name=a/b", "the name cannot be part of a folder's name; got 'a/b'"),
    ("name=", "the name cannot be part of a folder's name; got ''"),
    ("--devcie", "no such option --devcie, did you mean --device?"),
    ("--multirn", "no such option --multirn, did you mean --multirun?"),
    ("--config-name=nope", "no such config file; got nope"),
]


@pytest.mark.parametrize(("argument", "message"), MISTAKES)
def test_a_mistake_is_one_line_with_the_key(
    argument: str, message: str, toolkit: Callable, work: object, tmp_path: Path
) -> None:
    words = [argument] if argument == "a b" else argument.split()
    result = toolkit("rl", "train", *words)
    assert result.code == 2
    first, *rest = result.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert all(line.startswith("hint: ") for line in rest)
    assert result.out == ""
    assert "Traceback" not in result.err and "HYDRA_FULL_ERROR" not in result.err
    assert not work.calls
    assert not list(tmp_path.rglob("*rl-train*")), "a run folder was left behind"


def test_a_mistake_in_json_is_one_object(toolkit: Callable) -> None:
    result = toolkit("rl", "train", "training.max_step=1", "--json")
    assert result.code == 2
    assert result.json["status"] == "failed"
    assert result.json["run"] is None
    assert result.json["error"]["exit_code"] == 2
    assert "training.max_steps" in result.json["error"]["message"]


def test_a_launcher_that_is_not_installed_says_how_to_get_it(toolkit: Callable) -> None:
    result = toolkit("rl", "train", "--multirun", "hydra/launcher=submitit_slurm", "seed=0,1")
    assert result.code == 2
    assert "no such option; got submitit_slurm" in result.err
    assert "pip install 'delta-toolkit[sweep]'" in result.err


def test_a_sweep_with_a_mistake_in_a_later_job_starts_none(
    toolkit: Callable, work: object, tmp_path: Path
) -> None:
    result = toolkit("rl", "train", "--multirun", "training.max_steps=3,abc", "--json")
    assert result.code == 2
    assert "got abc; expected a whole number; at training.max_steps" in result.err
    assert not work.calls
    assert not list(tmp_path.rglob("manifest.json")) and not list(tmp_path.glob("runs/.sweep-*"))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("training.max_step", "training.max_steps"),
        ("traning.max_steps", "training.max_steps"),
        ("max_steps", "training.max_steps"),
        ("optimizer.max_steps", "training.max_steps"),
        ("zebra", None),
        ("training.zebra", None),
    ],
)
def test_suggestion(word: str, meant: str | None) -> None:
    assert (
        suggestion(word, ["seed", "training", "training.max_steps", "optimizer", "optimizer.beta1"])
        == meant
    )


def test_unknown_flag_without_a_near_one() -> None:
    assert unknown_flag("--zebra", ["--json"]).one_line() == "no such option --zebra"
