"""A mask that lets the tiny policy write canonical programs only: one spelling for each behaviour.

An option, off by default: a general policy has no such crutch, and what the mask takes away a canonical corpus takes
away as well (docs/log.md compares them). The grammar is a finite automaton over tokens; tokens that it forbids get a
logit so low that their probability is 0 in float32, in sampling and in the loss alike.

    program = START, target, { node }, END
    node    = the next puller or painter in breadth-first order, with one target for each of its routes
    target  = a node that was mentioned before, the next new one, end, or NONE

What surprises: the mask is part of the policy. The same weights without it are another policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import ModelOutput

from rlgrok.tokenizer import FIRST_ROUTES, HEADS, NEXT_ROUTES, NODE_IDS
from rlgrok.types import GrammarRules
from runtime.errors import ConfigError

FORBIDDEN = -1e4
"""Added nowhere, set: far below every real logit, and finite, so that an entropy stays a number."""
NO_LABEL = -100
"""A token that is not scored, in the libraries' convention."""
MAX_NODES = 7
"""Nodes between START and END: a pattern of six symbols and one to find the end of the tape."""
_START, _END = HEADS[0], HEADS[-1]
_ROUTES = {
    "\nPULLER_RB ": (":\n    [R] ", "\n    [B] "),
    "\nPULLER_YG ": (":\n    [Y] ", "\n    [G] "),
    "\nPAINTER_RED ": (":\n    NEXT ",),
    "\nPAINTER_BLUE ": (":\n    NEXT ",),
    "\nPAINTER_YELLOW ": (":\n    NEXT ",),
    "\nPAINTER_GREEN ": (":\n    NEXT ",),
}
_EMPTY = "\n    [EMPTY] "


@dataclass(frozen=True)
class _Place:
    """Where in a program the next token stands."""

    part: str
    """`prompt`, `target`, `head`, `name`, `route`, `end`, `eos` or `over`."""
    mentioned: int = 0
    """Nodes that some route leads to."""
    written: int = 0
    """Nodes that are complete or begun."""
    kind: str = ""
    """Head of the node begun."""
    route: int = 0
    """Routes of it that are begun."""


@dataclass
class _Scored(ModelOutput):
    """What the trainer reads of a forward pass: both (rows, width - 1), 0 where there is no label."""

    log_probs: torch.Tensor | None = None
    entropy: torch.Tensor | None = None


def _scored(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> _Scored:
    """Log-probabilities of each next label, and the entropies, of logits (rows, width, vocabulary)."""
    logprobs = torch.log_softmax(logits[:, :-1].float() / temperature, dim=-1)
    following = labels[:, 1:]
    is_label = following != NO_LABEL
    chosen = logprobs.gather(2, following.clamp(min=0)[..., None]).squeeze(2)
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    return _Scored(chosen.masked_fill(~is_label, 0.0), entropy.masked_fill(~is_label, 0.0))


class Grammar:
    """Which tokens may follow, as tables over states.

    Args:
        tokenizer: the tiny policy's.
        rules: `acceptor`: nodes that read red and blue, without an `[EMPTY]` route, as the solutions of a family that
            needs neither paint nor the end of the tape. `program`: any node, with or without one.

    Raises:
        ConfigError: another tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, rules: GrammarRules) -> None:
        vocabulary = tokenizer.get_vocab()
        if not all(word in vocabulary for word in (*HEADS, *FIRST_ROUTES, *NEXT_ROUTES, *NODE_IDS)):
            raise ConfigError(
                "a grammar mask needs the tiny policy's vocabulary",
                got="another tokenizer",
                expected="policy.source=reference",
                where="policy.grammar",
            )
        self.rules = rules
        is_acceptor = rules is GrammarRules.ACCEPTOR
        self._heads = tuple(_ROUTES)[:1] if is_acceptor else tuple(_ROUTES)
        self._allow_empty = not is_acceptor
        places = [_Place("prompt")]
        number = {places[0]: 0}
        rows: list[dict[str, int]] = []
        for place in places:
            row = {}
            for word, following in self._after(place, tokenizer.eos_token).items():
                if following not in number:
                    number[following] = len(places)
                    places.append(following)
                row[word] = number[following]
            rows.append(row)
        size = max(vocabulary.values()) + 1
        self._allowed = torch.zeros((len(places), size), dtype=torch.bool)
        # A token that does not fit keeps the state: so does every token of a prompt, and padding.
        self._moves = torch.arange(len(places))[:, None].repeat(1, size)
        for state, row in enumerate(rows):
            for word, following in row.items():
                self._allowed[state, vocabulary[word]] = True
                self._moves[state, vocabulary[word]] = following
            if places[state].part == "over":
                self._allowed[state] = True

    def start(self, num_rows: int, device: torch.device) -> torch.Tensor:
        """States after a prompt: (num_rows,)."""
        self._to(device)
        return torch.zeros(num_rows, dtype=torch.long, device=device)

    def advance(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """States after one more token each: both (rows,)."""
        return self._moves[states, tokens]

    def mask(self, logits: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Logits (..., vocabulary) with forbidden tokens ruled out, for states (...)."""
        return logits.masked_fill(~self._allowed[states], FORBIDDEN)

    def states(self, token_ids: torch.Tensor) -> torch.Tensor:
        """The state after each token of whole rows, prompts and padding included: (rows, width) to the same."""
        self._to(token_ids.device)
        current = torch.zeros(len(token_ids), dtype=torch.long, device=token_ids.device)
        after = []
        for column in token_ids.unbind(1):
            current = self._moves[current, column]
            after.append(current)
        return torch.stack(after, dim=1)

    def attach(self, model: PreTrainedModel) -> None:
        """Mask what the model returns for whole rows, as in a loss; with a cache, the sampler masks."""

        def masked(_: object, args: tuple[Any, ...], given: dict[str, Any], output: Any) -> Any:  # noqa: ANN401
            if not given.get("use_cache"):
                token_ids, kept = args[0] if args else given["input_ids"], output.logits.shape[1]
                output.logits = self.mask(output.logits, self.states(token_ids)[:, -kept:])
            return output

        model.register_forward_hook(masked, with_kwargs=True)

    def attach_to_loss(self, model: PreTrainedModel, temperature: float) -> None:
        """Mask what the trainer asks for, too: log-probabilities of labels, which skip the logits that `attach` masks.

        Args:
            model: `attach`ed to, and prepared by the trainer to answer `fused_lm_head=True` with log-probabilities.
            temperature: that logits are divided by.
        """
        asked: list[torch.Tensor] = []

        def ask_for_logits(
            _: object, args: tuple[Any, ...], given: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
            if not given.pop("fused_lm_head", False):
                return None
            asked.append(given.pop("labels"))
            return args, {**given, "use_cache": False}

        def score(_: object, __: object, ___: object, output: Any) -> Any:  # noqa: ANN401
            return _scored(output.logits, asked.pop(), temperature) if asked else output

        model.register_forward_pre_hook(ask_for_logits, with_kwargs=True)
        model.register_forward_hook(score, with_kwargs=True)

    def _to(self, device: torch.device) -> None:
        self._allowed, self._moves = self._allowed.to(device), self._moves.to(device)

    def _after(self, place: _Place, end_of_text: str) -> dict[str, _Place]:
        """The words that may stand at a place, and the place after each."""
        part, mentioned, written = place.part, place.mentioned, place.written
        if part == "prompt":
            return {_START: _Place("target")}
        if part == "target":
            begun = (place.kind, place.route)
            following = "route" if place.kind else "head"
            known = {
                f"n{index}": _Place(following, mentioned, written, *begun)
                for index in range(mentioned)
            }
            # An `[EMPTY]` route to NONE says nothing: without it the program does the same.
            is_empty_route = place.route > len(_ROUTES.get(place.kind, "-"))
            for word in ("end",) if is_empty_route else ("end", "NONE"):
                known[word] = _Place(following, mentioned, written, *begun)
            if mentioned < MAX_NODES:
                known[f"n{mentioned}"] = _Place(following, mentioned + 1, written, *begun)
            return known
        if part == "route":
            routes = _ROUTES[place.kind]
            if place.route < len(routes):
                return {
                    routes[place.route]: _Place(
                        "target", mentioned, written, place.kind, place.route + 1
                    )
                }
            found = self._after(_Place("head", mentioned, written), end_of_text)
            if self._allow_empty and len(routes) > 1 and place.route == len(routes):
                found[_EMPTY] = _Place("target", mentioned, written, place.kind, place.route + 1)
            return found
        if part == "head":
            if written < mentioned:
                return {head: _Place("name", mentioned, written, head) for head in self._heads}
            return {_END: _Place("end")}
        if part == "name":
            return {f"n{written}": _Place("route", mentioned, written + 1, place.kind)}
        if part == "end":
            return {"end": _Place("eos")}
        if part == "eos":
            return {end_of_text: _Place("over")}
        return {}
