"""How a report puts numbers and records into words."""

from __future__ import annotations

from collections.abc import Mapping

from rlgrok.artefacts import Artefacts, Record

CONFIDENCE = "95 %"


def data_words(run: Artefacts) -> str:
    """The problems in words: families, colours, lengths."""
    data = run.config.get("data", {})
    lengths = data.get("lengths") or ["?"]
    span = (
        f"length {lengths[0]}" if len(lengths) == 1 else f"lengths {min(lengths)} to {max(lengths)}"
    )
    return f"{' and '.join(data.get('families', ['?']))}, {data.get('colors', '?')} colours, {span}"


def base_words(run: Artefacts) -> str | None:
    """The proof that the base policy fails, in a few words."""
    base = run.summary.get("base_pass_at_k") or _last_event(run, "base_proved")
    if not base:
        return None
    value = "0" if base["value"] == 0 else f"{base['value']:.3f}"
    return f"pass@{base['k']} = {value} in {base['draws']:,} draws, below {base['upper95']:.3f} at {CONFIDENCE}"


def _last_event(run: Artefacts, kind: str) -> Record | None:
    return next((event for event in reversed(run.events) if event.get("kind") == kind), None)


def event_words(event: Record) -> str:
    """An event's message, or its fields."""
    if "message" in event:
        return str(event["message"])
    return ", ".join(
        f"{name} {value}" for name, value in event.items() if name not in ("kind", "time", "step")
    )


def pairs(values: object) -> str | None:
    """A mapping on one line, an empty list in it as `none`; anything else as it is."""
    if isinstance(values, Mapping):
        return ", ".join(f"{name} {_words(value)}" for name, value in values.items()) or None
    return None if values is None else str(values)


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " and ".join(map(str, value)) or "none"
    return str(value)


def percent(share: float | None) -> str | None:
    """A share with one decimal, as `97.5 %`; None stays None."""
    return None if share is None else f"{share:.1%}".replace("%", " %")


def duration(seconds: float) -> str:
    """Seconds up to two minutes, then minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
