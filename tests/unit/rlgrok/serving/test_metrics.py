"""The page that Prometheus reads: format, sums, and labels that clients cannot multiply."""

from __future__ import annotations

import re

from rlgrok.serving.metrics import BUCKETS_S, Metrics

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)+)\})? (\+Inf|-?[0-9.e+-]+)')


def read(page: str) -> dict[str, float]:
    """Every value under its name with labels; also checks the format, line by line."""
    values, types = {}, {}
    assert page.endswith("\n")
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in types
            types[name] = kind
        elif not line.startswith("# HELP "):
            found = LINE.fullmatch(line)
            assert found, line
            base = re.sub("_(bucket|sum|count)$", "", found[1])
            assert base in types or found[1] in types, line
            key = line.rpartition(" ")[0]
            assert key not in values
            values[key] = float(found[3])
    return values


def test_counts_by_method_path_and_status() -> None:
    metrics = Metrics(("/health", "/test_solution"))
    for status in (200, 200, 413):
        metrics.observe("POST", "/test_solution", status, 0.002)
    metrics.observe("GET", "/health", 200, 0.0001)
    values = read(metrics.render({}))
    stem = "toolkit_requests_total"
    assert values[f'{stem}{{method="POST",path="/test_solution",status="200"}}'] == 2
    assert values[f'{stem}{{method="POST",path="/test_solution",status="413"}}'] == 1
    assert metrics.num_requests == 4
    assert metrics.by_status == {"200": 3, "413": 1}


def test_what_clients_make_up_is_one_label() -> None:
    metrics = Metrics(("/health",))
    for number in range(50):
        metrics.observe(f"M{number}", f'/x"{number}\n', 404, 0.1)
    values = read(metrics.render({}))
    assert values['toolkit_requests_total{method="other",path="other",status="404"}'] == 50


def test_the_histogram_is_cumulative_and_its_edges_belong_to_it() -> None:
    metrics = Metrics(())
    seconds = [0.0005, 0.001, 0.0011, 0.7, 100.0]
    for value in seconds:
        metrics.observe("GET", "/", 200, value)
    values = read(metrics.render({}))
    name = "toolkit_request_seconds"
    assert values[f'{name}_bucket{{le="0.001"}}'] == 2
    assert values[f'{name}_bucket{{le="0.0025"}}'] == 3
    assert values[f'{name}_bucket{{le="1"}}'] == 4
    assert values[f'{name}_bucket{{le="+Inf"}}'] == values[f"{name}_count"] == 5
    assert abs(values[f"{name}_sum"] - sum(seconds)) < 1e-5
    counts = [values[f'{name}_bucket{{le="{edge:g}"}}'] for edge in BUCKETS_S]
    assert counts == sorted(counts)


def test_gauges_and_outcomes() -> None:
    metrics = Metrics(())
    metrics.count_outcome("passed")
    page = metrics.render({"toolkit_queue_depth": ("Waiting.", 3), "toolkit_x_total": ("X.", 1)})
    values = read(page)
    assert values["toolkit_queue_depth"] == 3
    assert values['toolkit_programs_total{outcome="passed"}'] == 1
    assert "# TYPE toolkit_queue_depth gauge" in page
    assert "# TYPE toolkit_x_total counter" in page
