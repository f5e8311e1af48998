"""A straightforward Manufactoria interpreter, written to the specification and to nothing else.

The yardstick of `benchmarks/bench_judge.py` and the independent twin that the tests hold the shipped judge to. It
imports nothing from the package: lines are matched one by one, the tape is a string that is cut at every pull, nodes
are looked up by name, and nothing is remembered from one program to the next.
"""

from __future__ import annotations

import re

MAX_VISITS = 1000
NODE = re.compile(
    r"^(START|END|PULLER_RB|PULLER_YG|PAINTER_RED|PAINTER_BLUE|PAINTER_YELLOW|PAINTER_GREEN)\s+(\w+)(:)?\s*(#.*)?$"
)
PULLER_ROUTE = re.compile(r"^\[(R|B|Y|G|EMPTY)\]\s+(\w+)\s*(#.*)?$")
NEXT_ROUTE = re.compile(r"^NEXT\s+(\w+)\s*(#.*)?$")
PAINT = {"PAINTER_RED": "R", "PAINTER_BLUE": "B", "PAINTER_YELLOW": "Y", "PAINTER_GREEN": "G"}
PULL = {"PULLER_RB": "RB", "PULLER_YG": "YG"}


class PlainParseError(Exception):
    """Carries the category of section 1 as its only argument."""


def parse(text: str) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Node id to (kind, routes), in declaration order."""
    lines = text.strip().split("\n")
    if lines[0].strip() == "```":
        lines = lines[1:]
    if lines and lines[-1].strip() == "```":
        lines = lines[:-1]
    lines = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    if not lines:
        raise PlainParseError("empty_program")
    nodes: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    at = 0
    while at < len(lines):
        kind, name = _declaration(lines[at].strip(), nodes)
        at += 1
        routes = []
        while at < len(lines) and (lines[at].startswith("    ") or lines[at].startswith("\t")):
            routes.append(_route(kind, lines[at].strip()))
            at += 1
        if kind not in PULL and kind != "END" and len(routes) != 1:
            raise PlainParseError("exactly_one_next")
        if kind in PULL:
            for condition, _ in routes:
                if condition != "EMPTY" and condition not in PULL[kind]:
                    raise PlainParseError("invalid_condition")
        nodes[name] = (kind, routes)
    kinds = [kind for kind, _ in nodes.values()]
    if "START" not in kinds:
        raise PlainParseError("no_start")
    if "END" not in kinds:
        raise PlainParseError("no_end")
    for _, routes in nodes.values():
        for _, target in routes:
            if target not in nodes and target != "NONE" and target != "END":
                raise PlainParseError("undefined_node")
    return nodes


def _declaration(line: str, nodes: dict) -> tuple[str, str]:
    match = NODE.match(line)
    if not match:
        raise PlainParseError("invalid_declaration")
    kind, name = match.group(1), match.group(2)
    has_colon = ":" in line.split("#")[0]
    if kind == "END" and has_colon:
        raise PlainParseError("end_colon")
    if kind != "END" and not has_colon:
        raise PlainParseError("missing_colon")
    if name in nodes:
        raise PlainParseError("duplicate_id")
    if kind == "START" and name != "start":
        raise PlainParseError("start_name")
    if kind == "END" and name != "end":
        raise PlainParseError("end_name")
    return kind, name


def _route(kind: str, line: str) -> tuple[str, str]:
    if kind == "END":
        raise PlainParseError("end_route")
    if kind in PULL:
        match = PULLER_ROUTE.match(line)
        if not match:
            raise PlainParseError("invalid_puller_route")
        return match.group(1), match.group(2)
    match = NEXT_ROUTE.match(line)
    if not match:
        raise PlainParseError("invalid_next_route")
    return "NEXT", match.group(1)


def run(nodes: dict, tape: str) -> tuple[bool, str, list[str], str | None]:
    """Accepted, final tape, visited ids, and why it was rejected."""
    path: list[str] = []
    current = "start"
    for _ in range(MAX_VISITS):
        path.append(current)
        if current == "NONE":
            return False, tape, path, "routed to NONE"
        if current == "end":
            return True, tape, path, None
        if current not in nodes:
            return False, tape, path, "unknown node"
        kind, routes = nodes[current]
        wanted = "NEXT"
        if kind in PAINT:
            tape = tape + PAINT[kind]
        if kind in PULL:
            wanted = "EMPTY"
            if tape != "" and tape[0] in PULL[kind]:
                wanted = tape[0]
                tape = tape[1:]
        current = "NONE"
        for condition, target in routes:
            if condition == wanted:
                current = target
                break
    return False, tape, path, "iteration limit"


def judge(text: str, tests: list[dict]) -> dict:
    """The response of the verification API (section 4), as plain data."""
    try:
        nodes = parse(text)
    except PlainParseError as error:
        return {"valid": False, "all_passed": False, "results": [], "category": str(error)}
    results = []
    for test in tests:
        accepted, output, path, reason = run(nodes, test["input"])
        passed = accepted == test["expected_accepted"]
        if test["check_output"]:
            match = _matches(test["expected_output"], output)
            passed = (match and accepted) == test["expected_accepted"]
        result = dict(test)
        result.update(
            actual_output=output,
            actual_accepted=accepted,
            passed=passed,
            path=path,
            rejection_reason=reason,
        )
        results.append(result)
    return {"valid": True, "all_passed": all(r["passed"] for r in results), "results": results}


def _matches(expected: str, output: str) -> bool:
    if any(mark in expected for mark in ".+*?|()"):
        try:
            return re.fullmatch(expected, output) is not None
        except re.error:
            return expected == output
    return expected == output
