"""The reference policy: cached by everything it depends on, refused when it succeeds, honest about its proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlgrok import reference
from rlgrok.config import ReferenceConfig
from rlgrok.delta import SCOPES
from rlgrok.passk import pass_at_k, pooled_upper
from rlgrok.policy import Policy, build_tiny_policy, save_policy
from rlgrok.reference import Reference, get_reference, load_reference, prove, reference_key
from rlgrok.training.verification import Verifier
from rlgrok.types import GrammarRules, Problem, PromptStyle, Status, TestSource, Verdict
from runtime.errors import InputError, UntrustworthyError
from runtime.progress import SilentView

SCOPE = SCOPES["manufactoria"]
TARGETS = SCOPE.build(
    families=["contains_ordered"], colors="two", lengths=[1], tests=TestSource.LADDER, seed=0
).train
CONFIG = ReferenceConfig(
    hidden_size=16,
    num_layers=1,
    num_heads=2,
    families=["starts_with"],
    max_length=1,
    steps=1,
    batch_size=2,
    learning_rate=1e-3,
    rewired_share=0.0,
    rewire_probability=0.0,
    canonical=True,
    proof_draws=6,
    proof_k=2,
    max_rebuilds=1,
)


def tiny(seed: int = 0) -> Policy:
    """Untrained; most of its completions end at their first token."""
    policy = build_tiny_policy(
        hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=seed
    )
    policy.model.generation_config.eos_token_id = list(range(1, 40))
    return policy


def verifier(passes: Callable[[Problem, str], bool] = lambda problem, text: False) -> Verifier:
    def verify(problem: Problem, text: str) -> Verdict:
        return Verdict(Status.PASSED if passes(problem, text) else Status.FAILED, 0, 1)

    scope = replace(SCOPE, verify=verify, extract=lambda text: text)
    return Verifier(scope, {problem.id: problem for problem in TARGETS})


class Making:
    """Calls `get_reference`, counts the policies that are trained, keeps the events."""

    def __init__(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache = cache
        self.num_trained = 0
        self.events: list[tuple[str, dict[str, Any]]] = []

        def train(*arguments: Any) -> tuple[Policy, dict[str, Any]]:
            self.num_trained += 1
            return tiny(arguments[4].seed % 1000), {"loss": 1.0}

        monkeypatch.setattr(reference, "_train", train)

    def __call__(self, config: ReferenceConfig = CONFIG, **changes: Any) -> Reference:
        settings: dict[str, Any] = {
            "targets": TARGETS,
            "prompts": [SCOPE.render_prompt(problem, PromptStyle.COMPACT) for problem in TARGETS],
            "verifier": verifier(),
            "colors": "two",
            "max_new_tokens": 6,
            "grammar": GrammarRules.NONE,
            "seed": 0,
            "device": "cpu",
            "cache": self.cache,
            "rebuild": False,
            "view": SilentView(),
            "on_event": lambda kind, **fields: self.events.append((kind, fields)),
        }
        return get_reference(config, **(settings | changes))


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    return Making(tmp_path / "cache", monkeypatch)


def test_the_second_time_it_comes_from_the_cache(make: Making) -> None:
    made, found = make(), make()
    assert make.num_trained == 1
    assert found.policy.identity() == made.policy.identity()
    assert (found.proof, found.info) == (made.proof, made.info)
    assert found.policy.source == made.policy.source == "reference"
    assert [kind for kind, _ in make.events] == ["reference_built"]


def test_it_is_made_again_when_asked_or_when_the_cache_is_damaged(make: Making) -> None:
    folder = make().folder
    make(rebuild=True)
    assert make.num_trained == 2
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    make()
    assert make.num_trained == 3
    make()
    assert make.num_trained == 3


def test_what_another_run_has_cached_meanwhile_is_left_alone(
    make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third run may be reading it; taking it away, for a moment even, would break that one."""
    folder = make().folder
    before = folder.stat().st_ino
    real, calls = reference.damage, []

    def not_yet_there(path: Path) -> str | None:
        calls.append(path)
        return "COMPLETE is missing" if len(calls) == 1 else real(path)

    monkeypatch.setattr(reference, "damage", not_yet_there)
    make()
    assert make.num_trained == 2
    assert folder.stat().st_ino == before


def test_the_key_is_of_everything_it_depends_on() -> None:
    settings: dict[str, Any] = {
        "colors": "two",
        "targets": TARGETS,
        "max_new_tokens": 6,
        "grammar": GrammarRules.NONE,
        "seed": 0,
    }
    known = reference_key(CONFIG, **settings)
    assert known == reference_key(CONFIG, **settings)
    fewer_tests = (replace(TARGETS[0], tests=TARGETS[0].tests[1:]), *TARGETS[1:])
    others = [
        reference_key(CONFIG, **(settings | change))
        for change in (
            {"seed": 1},
            {"max_new_tokens": 7},
            {"targets": TARGETS[1:]},
            {"targets": fewer_tests},
            {"colors": "four"},
            {"grammar": GrammarRules.ACCEPTOR},
        )
    ]
    others.append(reference_key(replace(CONFIG, steps=2), **settings))
    assert len({known, *others}) == 8


def test_a_base_that_succeeds_is_refused_and_the_next_seed_tried(make: Making) -> None:
    judge = verifier(lambda problem, text: make.num_trained == 1)
    judge._capacity = 0  # verdicts about the first base's texts are not remembered
    made = make(verifier=judge)
    assert make.num_trained == 2
    assert [kind for kind, _ in make.events] == ["base_refused", "reference_built"]
    refused = make.events[0][1]
    assert refused["attempt"] == 0 and refused["draws"] == 6 and refused["successes"] > 0
    assert made.info["attempt"] == 1 and len(made.info["refused"]) == 1
    assert made.proof.successes == 0


def test_when_every_base_succeeds_there_is_none(make: Making) -> None:
    with pytest.raises(
        UntrustworthyError, match="no reference policy fails on the target; got 2 bases"
    ):
        make(verifier=verifier(lambda problem, text: True))
    assert make.num_trained == 2
    assert not make.cache.exists() or not any(make.cache.iterdir())


def test_a_cache_that_takes_nothing_costs_a_warning(make: Making) -> None:
    make.cache.write_text("a file where the folder should be")
    made = make()
    assert made.proof.successes == 0
    assert [kind for kind, _ in make.events] == ["warning", "reference_built"]
    assert make.events[0][1]["name"] == "reference_not_cached"


def test_the_proof_counts_whole_successes_on_every_problem() -> None:
    """Recounted from the texts that the judge was shown; truncated ones do not count, whatever the judge says."""
    seen: list[tuple[str, str]] = []

    def passes(problem: Problem, text: str) -> bool:
        seen.append((problem.id, text))
        return problem is TARGETS[0]

    judge = verifier(passes)
    judge._capacity = 0
    proof = prove(
        tiny(),
        prompts=[SCOPE.render_prompt(problem, PromptStyle.COMPACT) for problem in TARGETS],
        problems=TARGETS,
        verifier=judge,
        draws=33,
        k=4,
        max_new_tokens=1,
        seed=3,
        view=SilentView(),
    )
    assert len(TARGETS) == 2
    per_problem = 17  # 33 rounded up to the same number for each
    assert proof.draws == len(seen) == 2 * per_problem
    assert 0 < proof.successes < per_problem  # some of the first problem's were truncated
    assert proof.value == pass_at_k(per_problem, proof.successes, 4) / 2
    assert proof.upper95 == pooled_upper([proof.successes, 0], [per_problem, per_problem], 4)
    assert (proof.k, proof.problems) == (4, 2)


def test_at_least_k_are_drawn_for_each_problem() -> None:
    proof = prove(
        tiny(),
        prompts=["starts_with", "exact_sequence"],
        problems=TARGETS,
        verifier=verifier(),
        draws=2,
        k=8,
        max_new_tokens=1,
        seed=0,
        view=SilentView(),
    )
    assert (proof.draws, proof.successes, proof.value) == (16, 0, 0.0)


def test_a_folder_without_a_proof_is_no_reference(tmp_path: Path) -> None:
    save_policy(tiny(), tmp_path / "policy")
    with pytest.raises(InputError, match=r"no such file; at .*reference.json"):
        load_reference(tmp_path / "policy", "cpu")


def test_training_teaches_the_corpus(tmp_path: Path) -> None:
    """Real supervised steps: greedy decoding of a taught prompt becomes its solution."""
    config = replace(CONFIG, hidden_size=32, steps=60, batch_size=8, learning_rate=2e-2)
    made = get_reference(
        config,
        targets=TARGETS,
        prompts=[SCOPE.render_prompt(problem, PromptStyle.COMPACT) for problem in TARGETS],
        verifier=verifier(),
        colors="two",
        max_new_tokens=16,
        grammar=GrammarRules.NONE,
        seed=0,
        device="cpu",
        cache=tmp_path,
        rebuild=False,
        view=SilentView(),
        on_event=lambda kind, **fields: None,
    )
    from rlgrok.sampling import sample_tokens

    problem = SCOPE.build(
        families=["starts_with"], colors="two", lengths=[1], tests=TestSource.DELTA, seed=0
    ).train[0]
    sampled = sample_tokens(
        made.policy.model,
        [made.policy.encode_prompt(SCOPE.render_prompt(problem, PromptStyle.COMPACT))],
        num_per_prompt=1,
        max_new_tokens=16,
        end_ids=made.policy.end_token_ids(),
        pad_id=0,
        seed=0,
        greedy=True,
    )
    text = made.policy.tokenizer.decode(sampled.token_ids[0], skip_special_tokens=True)
    assert text == SCOPE.oracle(problem)
    assert made.info["loss"] < 3.0  # nats a token; an untrained one has 4.1
    assert made.info["corpus_size"] == 480
