"""The store of draws: grows, refuses another identity, survives a kill, has one writer."""

from __future__ import annotations

import dataclasses

import pytest

from rlgrok.evaluation.draws import Draw, DrawIdentity, DrawStore, data_identity
from rlgrok.evaluation.gzip_lines import append_lines, read_lines
from runtime.errors import InputError


def make_identity(**changes) -> DrawIdentity:
    values = dict(
        policy="sha256:aa", data="sha256:bb", temperature=1.0, top_p=1.0, max_new_tokens=48, seed=0
    )
    return DrawIdentity(**{**values, **changes})


def make_draws(problem_id: str, first: int, count: int) -> list[Draw]:
    return [
        Draw(problem_id, index, f"text {index}", 10 + index, False)
        for index in range(first, first + count)
    ]


def test_a_later_call_adds_to_the_same_file(tmp_path) -> None:
    with DrawStore(tmp_path, make_identity()) as store:
        assert store.count("p") == 0
        store.add(make_draws("p", 0, 3) + make_draws("q", 0, 1))
        path = store.path
    with DrawStore(tmp_path, make_identity()) as store:
        assert (store.count("p"), store.count("q")) == (3, 1)
        store.add(make_draws("p", 3, 2))
    with DrawStore(tmp_path, make_identity()) as store:
        assert store.path == path
        assert list(store.draws("p")) == make_draws("p", 0, 5)
        assert store.draws("unknown") == ()
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 1


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(DrawIdentity)])
def test_every_field_of_the_identity_makes_another_file(tmp_path, field: str) -> None:
    changed = make_identity(**{field: {"policy": "sha256:cc", "data": "sha256:dd"}.get(field, 7)})
    assert changed.key() != make_identity().key()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "sha256:cc"}, "another policy; got sha256:aa; expected sha256:cc"),
        ({"data": "sha256:dd"}, "another data; got sha256:bb; expected sha256:dd"),
        ({"temperature": 0.5}, r"another temperature; got 1\.0; expected 0\.5"),
        ({"max_new_tokens": 9}, "another max new tokens; got 48; expected 9"),
        ({"seed": 3}, "another seed; got 0; expected 3"),
    ],
)
def test_a_named_file_of_another_identity_is_refused(tmp_path, change, message: str) -> None:
    path = tmp_path / "mine.jsonl.gz"
    with DrawStore(tmp_path, make_identity(), path=path) as store:
        store.add(make_draws("p", 0, 2))
    with (
        pytest.raises(InputError, match=message),
        DrawStore(tmp_path, make_identity(**change), path=path),
    ):
        pass
    # the refusal gave the lock back and changed nothing
    with DrawStore(tmp_path, make_identity(), path=path) as store:
        assert store.count("p") == 2


def test_a_torn_append_is_dropped_and_drawing_continues(tmp_path) -> None:
    with DrawStore(tmp_path, make_identity()) as store:
        store.add(make_draws("p", 0, 4))
        whole = store.path.stat().st_size
        store.add(make_draws("p", 4, 400))
        path = store.path
    path.write_bytes(path.read_bytes()[: whole + 15])
    with DrawStore(tmp_path, make_identity()) as store:
        kept = store.count("p")
        assert kept >= 4
        store.add(make_draws("p", kept, 1))
    assert read_lines(path).is_torn is False


def test_a_second_process_is_told_who_is_drawing(tmp_path) -> None:
    with (
        DrawStore(tmp_path, make_identity()),
        pytest.raises(InputError, match=r"another evaluation is adding .* held by process"),
        DrawStore(tmp_path, make_identity()),
    ):
        pass


def test_who_can_wait_gets_the_draws_of_the_one_before(tmp_path) -> None:
    """The holder is done once it hears that somebody waits, so that the test needs no clock."""
    first = DrawStore(tmp_path, make_identity()).__enter__()
    heard: list[str] = []

    def finish(holder: str) -> None:
        heard.append(holder)
        first.add(make_draws("p", 0, 3))
        first.__exit__(None, None, None)

    with DrawStore(tmp_path, make_identity(), on_wait=finish) as second:
        assert second.count("p") == 3
    assert len(heard) == 1 and heard[0].startswith("process ")


def test_gaps_and_repeats_are_refused_in_memory_and_on_disk(tmp_path) -> None:
    with DrawStore(tmp_path, make_identity()) as store:
        store.add(make_draws("p", 0, 2))
        with pytest.raises(ValueError, match="draw 3 of p does not continue at 2"):
            store.add(make_draws("p", 3, 1))
        with pytest.raises(ValueError, match="draw 1 of p does not continue at 2"):
            store.add(make_draws("p", 1, 1))
        assert store.count("p") == 2
        path = store.path
    append_lines(path, [dataclasses.asdict(make_draws("p", 7, 1)[0])])
    with pytest.raises(
        InputError, match="a draw is missing or repeated; got index 7 of p; expected 2"
    ):
        DrawStore(tmp_path, make_identity()).__enter__()


def test_a_record_that_is_no_draw_is_refused(tmp_path) -> None:
    with DrawStore(tmp_path, make_identity()) as store:
        path = store.path
    append_lines(path, [{"hello": 1}])
    with pytest.raises(InputError, match="not a draw; got hello"):
        DrawStore(tmp_path, make_identity()).__enter__()


def test_data_identity_depends_on_ids_prompts_and_order() -> None:
    base = data_identity({"a": "x", "b": "y"})
    assert base == data_identity({"a": "x", "b": "y"})
    assert len({base, data_identity({"a": "x", "b": "z"}), data_identity({"b": "y", "a": "x"}),
                data_identity({"a": "xb", "": "y"})}) == 4  # fmt: skip
