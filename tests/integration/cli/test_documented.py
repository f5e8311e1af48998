"""What a run writes is documented: every key of a summary and of a metrics line, every kind of event and its fields."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(600)  # a whole training run, on a machine that may be busy

DOCS = Path(__file__).parents[3] / "docs"
RUN_FOLDER, RECIPE = DOCS / "run-folder.md", DOCS / "methods" / "grpo.md"
EVERY_LINE = {"step", "time"}


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two lines."""
    section = page.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert len(rows) > 2, f"no table under {heading} in {page.name}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def names(page: Path, heading: str, without: str = "\0") -> set[str]:
    """What stands in backticks in the first column, of the rows that do not say `without`."""
    rows = [row for row in table(page, heading) if without not in row[1]]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


def undocumented(keys: set[str], documented: set[str]) -> set[str]:
    """Keys that no name matches; `<k>` is a number, `*` any word, and `base_` may stand before a name."""
    patterns = [
        re.escape(name).replace("<k>", r"\d+").replace(r"\*", r"\w+") for name in documented
    ]
    known = re.compile(f"(base_)?({'|'.join(patterns)})")
    return {key for key in keys if not known.fullmatch(key)}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def run(trained: tuple) -> Path:
    toolkit, result = trained
    assert result.code == 0, result.err
    return toolkit.folder / result.json["run"]


def test_a_training_summary(run: Path) -> None:
    heading = "`summary.json` of a training run"
    documented = names(RUN_FOLDER, heading, without="of an evaluation only")
    keys = set(json.loads((run / "summary.json").read_text()))
    assert undocumented(keys, documented) == set()
    exact = {name for name in documented if not re.search("[<*]", name)}
    assert exact <= keys, "documented and not there"


def test_the_other_summaries(trained: tuple, run: Path) -> None:
    toolkit, _ = trained
    words = ("eval", str(run), "evaluation.draws=4", "evaluation.k=[4]")
    cases = {
        "`summary.json` of a training run": words,
        "`summary.json` of `toolkit rl reference`": ("reference", "debug=tiny"),
    }
    for heading, arguments in cases.items():
        result = toolkit("rl", *arguments, "--json")
        assert result.code == 0, result.err
        assert undocumented(set(result.json["summary"]), names(RUN_FOLDER, heading)) == set()


def test_metrics(run: Path) -> None:
    keys = {key for line in lines(run / "metrics.jsonl") for key in line} - EVERY_LINE
    heading = "What is measured"
    assert undocumented(keys, names(RECIPE, heading)) == set()
    always = names(RECIPE, heading, without="only with")
    assert always <= keys, "documented and not there"


def test_events(run: Path) -> None:
    fields: dict[str, str] = {}
    for row in table(RUN_FOLDER, "Events of a training run"):
        fields |= dict.fromkeys(re.findall(r"`([^`]+)`", row[0]), row[1])
    fields["reference_built"] += fields["base_proved"]
    for event in lines(run / "events.jsonl"):
        kind = event.pop("kind")
        assert kind in fields
        assert all(name in fields[kind] for name in event if name != "time"), (kind, event)


def test_files(run: Path) -> None:
    """Every file and folder of the run, as the page and the README name them."""
    page = RUN_FOLDER.read_text(encoding="utf-8").partition("\n## ")[0]
    assert [path.name for path in run.rglob(".*")] == [".lock"], "what the trainer leaves behind"
    for path in run.iterdir():
        if not path.name.startswith("."):
            assert f"`{path.name}" in page, path.name
