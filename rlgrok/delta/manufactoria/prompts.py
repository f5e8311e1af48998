"""Problems in words: the complete task for a language model, or nine words for the tiny policy.

The wording is part of the task distribution and stays fixed within a release; golden tests hold it. Order of the parts
is that of delta-manufactoria.md, section 10; the words are our own. What surprises: no tape of two or more symbols
stands in the prompt but the problem's own sequence, so that no hidden test can be in it.
"""

from __future__ import annotations

from rlgrok.types import Problem, PromptStyle, RecordedProblem
from runtime.errors import InputError

COMPACT_SLOTS = 6
BLANK = "_"
FAMILY_WORDS = (
    "append_sequence",
    "exact_sequence",
    "starts_with",
    "ends_with",
    "contains_substring",
    "contains_ordered",
    "contains_count",
    "numerical_comparison",
    "numerical_max_min",
    "numerical_operations",
    "prepend_sequence",
    "regex_pattern",
    "regex_same_num",
)
"""The family words of a compact prompt, all thirteen of the benchmark: a vocabulary that does not change with the
families at hand, so that a policy trained on some can be asked about others."""

_OPENING = """\
# Manufactoria: route the robots

You write programs for a small factory. Robots enter it one at a time, each carrying a tape of coloured symbols. Your
program is a network of machines: every robot walks from machine to machine, and each machine looks at the robot's
tape, may change it, and decides where the robot goes next.

## Robots and tapes

- A tape is a row of symbols. The two primary colours are blue (B) and red (R); some puzzles add yellow (Y) and
  green (G).
- A tape is written as a string with one capital letter a symbol, the front of the tape first.
- A tape may be empty.

## What machines can do

- Pull: take the symbol at the front off the tape and choose the way by its colour.
- Paint: put a symbol of one colour at the end of the tape.
- Route: send the robot on to another machine.
"""

_OBJECTIVE_ACCEPT = """\
## Objective

Decide about every robot:

- It is accepted when it reaches the END machine.
- It is rejected when it goes anywhere else, or wanders through the factory without ever arriving.
"""

_OBJECTIVE_OUTPUT = """\
## Objective

Decide about every robot and leave the right tape:

- It is accepted when it reaches the END machine and its tape then meets the puzzle's criteria.
- It is rejected when it goes anywhere else, when it wanders through the factory without ever arriving, or when it
  reaches END with a wrong tape.
"""

_LANGUAGE = """\
## Program structure

A program starts with a START directive and ends with END. Put it in a fenced code block tagged `manufactoria`:

```manufactoria
START start:
    NEXT first_machine

# more machines

END end
```

### Pullers

A red/blue puller takes R or B:

```manufactoria
PULLER_RB name:
    [R] machine_1      # the front symbol was R and has been taken
    [B] machine_2      # the front symbol was B and has been taken
    [EMPTY] machine_3  # the tape is empty, or its front symbol is Y or G and stays there
```

A yellow/green puller takes Y or G:

```manufactoria
PULLER_YG name:
    [Y] machine_1      # the front symbol was Y and has been taken
    [G] machine_2      # the front symbol was G and has been taken
    [EMPTY] machine_3  # the tape is empty, or its front symbol is R or B and stays there
```

A branch that you leave out leads to NONE, and a robot sent to NONE is rejected.

### Painters

Each adds one symbol at the end of the tape and goes on:

```manufactoria
PAINTER_RED name:
    NEXT machine

PAINTER_BLUE name:
    NEXT machine

PAINTER_YELLOW name:
    NEXT machine

PAINTER_GREEN name:
    NEXT machine
```

## Syntax rules

- Every machine has its own name, made of letters, digits and underscores.
- A line that begins with `#` is a comment; a comment may also follow at the end of a line.
- Indent the lines under a machine by four spaces, all in the same way.
- Colours are written in capital letters.
"""

_TERMINATION_ACCEPT = (
    "- A robot has to reach END to be accepted; any other end of its way is a rejection."
)
_TERMINATION_OUTPUT = (
    "- A robot has to reach END with the right tape to be accepted; any other end of its way is a "
    "rejection."
)

_CLOSING = """\
- The answer is one fenced code block with the complete program.

## Example

Among tapes of red and blue symbols, this program accepts the single red symbol and nothing else:

```manufactoria
START start:
    NEXT take_red

PULLER_RB take_red:
    [R] nothing_left
    [B] NONE
    [EMPTY] NONE

PULLER_RB nothing_left:
    [R] NONE
    [B] NONE
    [EMPTY] end

END end
```

## Your task

Write a Manufactoria program that does the following.

"""


def render(problem: Problem, style: PromptStyle) -> str:
    """The prompt of a problem.

    Raises:
        InputError: the compact style has no room for the problem's parameters.
    """
    if PromptStyle(style) is PromptStyle.COMPACT:
        return compact(problem.family, problem.colors, _sequence(problem))
    return problem.prompt if isinstance(problem, RecordedProblem) else full(problem)


def full(problem: Problem) -> str:
    """The complete description, ending with the problem's criteria.

    Whether END alone accepts or the tape counts too follows from the tests, as in the benchmark.
    """
    checks_output = any(test.check_output for test in problem.tests)
    objective = _OBJECTIVE_OUTPUT if checks_output else _OBJECTIVE_ACCEPT
    termination = _TERMINATION_OUTPUT if checks_output else _TERMINATION_ACCEPT
    head = "\n".join((_OPENING, objective, _LANGUAGE))
    return f"{head}{termination}\n{_CLOSING}{problem.criteria}"


def compact(family: str, colors: str, sequence: str) -> str:
    """Nine words, the last a colon: family, colours, the sequence in six slots, blanks as `_`.

    Args:
        family: one of `FAMILY_WORDS`.
        colors: `two` or `four`.
        sequence: at most six symbols; empty for a prompt that says nothing.

    Raises:
        InputError: the sequence is longer.
    """
    if len(sequence) > COMPACT_SLOTS:
        raise InputError(
            "the compact prompt has no room for the sequence",
            got=f"{sequence} ({len(sequence)} symbols)",
            expected=f"at most {COMPACT_SLOTS} symbols, or policy.prompt=full",
            where="policy.prompt",
        )
    return " ".join((family, colors, *sequence.ljust(COMPACT_SLOTS, BLANK), ":"))


def _sequence(problem: Problem) -> str:
    if set(problem.parameters) != {"sequence"}:
        raise InputError(
            "the compact prompt knows only families with a sequence",
            got=problem.family,
            where="policy.prompt",
        )
    return str(problem.parameters["sequence"])
