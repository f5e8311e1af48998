"""Files of records: JSONL, JSON and Parquet out; a file, a folder or a hub id in. What a record holds is the scope's.

Both ways go record by record, but for a JSON array, which is read whole. A record that cannot be used names its file,
its line (its row in Parquet or on the hub) and its field. What surprises: nulls of a table column are missing fields.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.storage import storage_errors

Record = Mapping[str, Any]
SUFFIXES = (".jsonl", ".json", ".parquet")
HUB_SPLIT = "train"
"""The published data sets have this one split, those of test problems too."""
_ROWS_AT_ONCE = 256


def is_source(text: str) -> bool:
    """Whether a word names records rather than a data set: it has a slash or a suffix of ours, or exists as a path."""
    return "/" in text or text.endswith(SUFFIXES) or Path(text).exists()


def write_records(records: Iterable[Record], path: Path) -> int:
    """Write records in the format of the path's suffix; returns how many. The file appears when it is complete.

    Raises:
        InputError: a suffix that is not `.jsonl`, `.json` or `.parquet`.
        StorageError: the disk refuses.
    """
    if path.suffix not in _WRITERS:
        near = get_close_matches(path.suffix, SUFFIXES, n=1)
        raise InputError(
            "unknown file format",
            got=path.suffix or "no suffix",
            expected=", ".join(SUFFIXES),
            where=path,
            hint=f"did you mean {path.with_suffix(near[0]).name}?" if near else None,
        )
    count = 0

    def counted() -> Iterator[Record]:
        nonlocal count
        for record in records:
            count += 1
            yield record

    with _published(path) as partial:
        _WRITERS[path.suffix](counted(), partial)
    return count


def read_records(source: str) -> Iterator[tuple[str, object]]:
    """Decoded records with the place of each, `FILE, line 3` or `FILE, row 3`, counted from 1.

    Args:
        source: a file, a folder (every file of ours in it and below, by name), or a hub id `owner/name`.

    Raises:
        InputError: nothing there, or something that is not records.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(found for found in path.rglob("*") if found.suffix in SUFFIXES)
        if not files:
            raise InputError(
                "no files of records", expected=f"some of {', '.join(SUFFIXES)}", where=path
            )
        for file in files:
            yield from _READERS[file.suffix](file)
    elif path.is_file():
        if path.suffix not in _READERS:
            raise InputError("unknown file format", expected=", ".join(SUFFIXES), where=path)
        yield from _READERS[path.suffix](path)
    elif path.suffix in SUFFIXES or source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise InputError("no such file or folder", where=source)
    else:
        yield from _read_hub(source)


@contextmanager
def _published(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes the file once everything is on disk."""
    partial = path.with_name(f".{path.name}.partial")
    with storage_errors(path):
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _write_jsonl(records: Iterator[Record], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _write_json(records: Iterator[Record], path: Path) -> None:
    """One array, an element a line."""
    with path.open("w", encoding="utf-8") as file:
        separator = "[\n"
        for record in records:
            file.write(separator + json.dumps(record, ensure_ascii=False))
            separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")


def _write_parquet(records: Iterator[Record], path: Path) -> None:
    """Row groups of `_ROWS_AT_ONCE`, with our own column where the first record has it."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    rows = list(islice(records, _ROWS_AT_ONCE))
    schema = _columns(with_parameters=bool(rows) and "parameters" in rows[0])
    with ParquetWriter(path, schema) as writer:
        while rows:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
            rows = list(islice(records, _ROWS_AT_ONCE))


def _columns(*, with_parameters: bool) -> Any:  # noqa: ANN401 - a schema of pyarrow
    """The columns of the published layout (delta-manufactoria.md, section 10), stated: an empty file has them too."""
    import pyarrow as pa

    text, flag = pa.string(), pa.bool_()
    message = pa.struct([("role", text), ("content", text)])
    test = pa.struct(
        [
            ("input", text),
            ("expected_output", text),
            ("expected_accepted", flag),
            ("check_output", flag),
            ("description", text),
        ]
    )
    names = ["dataset", "difficulty", "id", "problem_family", "name"]
    names += ["parameters"] if with_parameters else []
    columns = [("messages", pa.list_(message)), ("ground_truth", pa.list_(test))]
    return pa.schema([*columns, *((name, text) for name in names)])


def _read_jsonl(path: Path) -> Iterator[tuple[str, object]]:
    with _reading(path), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                place = f"{path}, line {number}"
                yield place, _decoded(line, place)


def _read_json(path: Path) -> Iterator[tuple[str, object]]:
    with _reading(path):
        array = _decoded(path.read_bytes(), str(path))
    if not isinstance(array, list):
        raise InputError(
            "not an array of records", got=f"{type(array).__name__}", expected="[...]", where=path
        )
    for number, record in enumerate(array, 1):
        yield f"{path}, record {number}", record


def _read_parquet(path: Path) -> Iterator[tuple[str, object]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with _reading(path), ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", record
    except pyarrow.ArrowException as error:
        raise InputError("not a Parquet file", got=_first_line(error), where=path) from error


def _read_hub(name: str) -> Iterator[tuple[str, object]]:
    import datasets

    try:
        rows = datasets.load_dataset(name, split=HUB_SPLIT)
    except Exception as error:
        raise InputError(
            "no records can be loaded from the hub",
            got=f"{type(error).__name__}: {_first_line(error)}",
            expected="a file, a folder or the id of a data set",
            where=name,
        ) from error
    for number, record in enumerate(rows, 1):
        yield f"{name}, row {number}", record


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """An operating system that refuses, as an error that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror or error}", where=path
        ) from error


def _decoded(text: bytes, place: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InputError("not JSON", got=_first_line(error), where=place) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


_WRITERS: Mapping[str, Callable[[Iterator[Record], Path], None]] = {
    ".jsonl": _write_jsonl,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
_READERS: Mapping[str, Callable[[Path], Iterator[tuple[str, object]]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
