"""Evaluation from config to report with a real, untrained tiny policy: files, summary, draws that add up, refusals."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from rlgrok.config import (
    Colors,
    DataConfig,
    EvalConfig,
    EvaluationConfig,
    PolicyConfig,
    TrackingConfig,
)
from rlgrok.delta.manufactoria.wrapped import to_record
from rlgrok.evaluate import evaluate
from rlgrok.evaluation.gzip_lines import read_lines
from rlgrok.evaluation.sources import trained_on
from rlgrok.passk import pooled_upper
from rlgrok.policy import build_tiny_policy, load_policy, save_policy
from rlgrok.problems import build_problems
from rlgrok.recordfiles import write_records
from rlgrok.types import GrammarRules, Judge, PromptStyle, TestSource
from runtime.errors import ConfigError, InputError
from runtime.progress import SilentView
from runtime.run import Run
from runtime.settings import as_plain
from runtime.storage import read_jsonl

CLAIM = SimpleNamespace(device="cpu", threads=1)


def make_config(source: str, **evaluation) -> EvalConfig:
    settings = dict(
        every=1,
        draws=6,
        k=[1, 4],
        temperature=1.0,
        exhaustive=True,
        batch_size=16,
        compare_base=True,
    )
    return EvalConfig(
        name="demo",
        seed=0,
        judge=Judge.TESTS,
        data=DataConfig(
            scope="manufactoria", families=["starts_with"], colors=Colors.TWO, lengths=[2], heldout_share=0.5,
            max_problems=None, tests=TestSource.DELTA,
        ),
        policy=PolicyConfig(source, PromptStyle.COMPACT, "float32", max_new_tokens=24, grammar=GrammarRules.NONE),
        evaluation=EvaluationConfig(**{**settings, **evaluation}),
        tracking=TrackingConfig(trackers=[], project="p", uri=None),
    )  # fmt: skip


def evaluate_in(folder: Path, config: EvalConfig) -> tuple[Path, dict]:
    run = Run.create(
        folder, command="rl eval", name="demo", argv=["toolkit", "rl", "eval"], config=as_plain(config), overrides=[],
        seeds={"seed": 0},
    )  # fmt: skip
    with run:
        return run.path, evaluate(config, run=run, view=SilentView(), claim=CLAIM)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_policy(
        build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=1),
        folder,
    )
    return folder


def test_an_evaluation_leaves_everything_in_its_folder(model: Path, tmp_path) -> None:
    path, summary = evaluate_in(tmp_path / "2026-01-02" / "a", make_config(str(model)))
    for name in (
        "summary.json",
        "evaluation.json",
        "rollouts.jsonl.gz",
        "report.html",
        "figures/pass-at-k.png",
    ):
        assert (path / name).stat().st_size > 0, name
    assert json.loads((path / "summary.json").read_text()) == summary
    assert summary["split"] == "heldout"
    assert summary["num_problems"] == 2
    assert summary["num_draws"] == 12
    # an untrained policy writes no program: the estimates are 0, the bounds are not
    assert summary["pass_at_4"] == 0.0
    assert summary["pass_at_4_upper95"] == pooled_upper([0, 0], [6, 6], 4)
    assert summary["heldout_exhaustive"] == 0.0
    kinds = [record["kind"] for record in read_lines(path / "rollouts.jsonl.gz").records]
    assert (kinds.count("policy_greedy"), kinds.count("policy")) == (2, 12)
    assert Run.open(path).status == "done"
    assert json.loads((path / "manifest.json").read_text())["data_hashes"]["problems"].startswith(
        "sha256:"
    )


def test_a_later_call_adds_to_the_draws(model: Path, tmp_path) -> None:
    first, _ = evaluate_in(tmp_path / "2026-01-02" / "a", make_config(str(model)))
    second, summary = evaluate_in(tmp_path / "2026-01-03" / "b", make_config(str(model), draws=9))
    assert summary["num_draws"] == 18
    events = read_jsonl(second / "events.jsonl")
    assert [event["new_draws"] for event in events if event["kind"] == "evaluated"] == [6]
    texts = {
        path: [
            r["text"]
            for r in read_lines(path / "rollouts.jsonl.gz").records
            if r["kind"] == "policy"
        ]
        for path in (first, second)
    }
    assert texts[second][:6] == texts[first][:6]
    assert len(list((tmp_path / "draws").glob("*.jsonl.gz"))) == 1


def test_a_training_run_is_compared_with_its_base(model: Path, tmp_path) -> None:
    training = Run.create(
        tmp_path / "training", command="rl train", name="t", argv=[], config={"policy": {"source": "reference"}},
        overrides=[], seeds={},
    )  # fmt: skip
    training.finish("done")
    base = build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=2)
    save_policy(base, training.path / "base")
    save_policy(
        build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=1),
        training.path / "policy",
    )
    path, summary = evaluate_in(tmp_path / "run", make_config(str(training.path)))
    assert summary["base_policy_identity"] == base.identity()
    assert summary["base_policy_identity"] != summary["policy_identity"]
    assert summary["policy"] == str(training.path)
    labels = [
        entry["label"]
        for entry in json.loads((path / "evaluation.json").read_text())["evaluations"]
    ]
    assert labels == ["base", "policy"]


def test_problems_that_the_run_had_trained_on_are_counted(model: Path, tmp_path) -> None:
    """Of RR RB BR BB two are held out, which two the seed decides."""
    config = make_config(str(tmp_path / "training"), compare_base=False)
    plain = as_plain(config)
    training = Run.create(
        tmp_path / "training", command="rl train", name="t", argv=[], config=plain, overrides=[], seeds={}
    )  # fmt: skip
    training.finish("done")
    save_policy(load_policy(str(model), prompt=PromptStyle.COMPACT, device="cpu", dtype="float32"),
                training.path / "policy")  # fmt: skip
    split = {
        seed: {problem.id for problem in build_problems(config.data, seed=seed)[1].heldout}
        for seed in range(20)
    }
    other = next(seed for seed, held in split.items() if not held & split[0])
    _, own = evaluate_in(tmp_path / "own", config)
    assert own["num_trained_on"] == 0
    path, mixed = evaluate_in(tmp_path / "mixed", dataclasses.replace(config, seed=other))
    assert mixed["num_trained_on"] == 2
    warnings = [e["message"] for e in read_jsonl(path / "events.jsonl") if e["kind"] == "warning"]
    assert warnings == ["2 of these 2 problems were trained on"]
    _, alone = evaluate_in(tmp_path / "alone", make_config(str(training.path), compare_base=False))
    assert "base_policy_identity" not in alone


def test_without_held_out_problems_all_are_evaluated(model: Path, tmp_path) -> None:
    config = make_config(str(model))
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, heldout_share=0.0))
    _, summary = evaluate_in(tmp_path / "run", config)
    assert (summary["split"], summary["num_problems"]) == ("train", 4)


def test_records_without_parameters_have_no_exhaustive_verdict(model: Path, tmp_path) -> None:
    """They are judged by their tests, and everything that would need more says so."""
    config, path = make_config(str(model)), tmp_path / "records.jsonl"
    scope, built = build_problems(config.data, seed=0)
    records = [to_record(problem) for problem in (*built.train, *built.heldout)]
    for record, problem in zip(records, (*built.train, *built.heldout), strict=True):
        text = scope.render_prompt(problem, PromptStyle.COMPACT)  # words that the tiny policy knows
        record["messages"] = [{"role": "user", "content": text}]
    write_records(records, path)
    data = dataclasses.replace(config.data, sets=[str(path)], families=[], lengths=[])
    policy = dataclasses.replace(config.policy, prompt=PromptStyle.FULL)
    config = dataclasses.replace(config, data=data, policy=policy)
    run, summary = evaluate_in(tmp_path / "run", config)
    assert (summary["num_problems"], summary["pass_at_k_verdict"]) == (2, "tests")
    assert summary["heldout_exhaustive"] is None
    assert summary["heldout_full_pass"] is not None
    (warning,) = [e for e in read_jsonl(run / "events.jsonl") if e["kind"] == "warning"]
    assert warning["name"] == "no_exhaustive_verdict"
    assert "2 of 2 problems name no parameters" in warning["message"]
    assert (run / "report.html").is_file()
    trained = Run.create(
        tmp_path / "t", command="rl train", name="t", argv=[], config=as_plain(config), overrides=[], seeds={}
    )  # fmt: skip
    trained.finish("done")
    assert len(trained_on(str(trained.path)) or ()) == 2
    path.unlink()
    assert trained_on(str(trained.path)) is None


def test_what_cannot_be_evaluated_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="built by a training run"):
        evaluate_in(tmp_path / "a", make_config("reference"))
    with pytest.raises(InputError, match="not a model folder"):
        evaluate_in(tmp_path / "b", make_config(str(tmp_path)))
    assert Run.open(tmp_path / "b").status == "failed"
