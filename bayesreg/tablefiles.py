"""Tables on disk as streams of record batches: CSV, TSV, Parquet, Feather and NPZ, one file, several or a folder.

What a column means is not known here (columns.py, data.py). Nothing is held in memory but one batch, except for NPZ,
which is read whole. What surprises: an unnamed first column, as R and pandas write row names, is called `row`, and text
files are read twice at their beginning, because the type of a column is guessed from the first block.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc, parquet

from runtime.errors import InputError

Files = str | Path | Sequence[str | Path]
"""A file, a folder of files of one format, or several files: parts of one table with the same columns."""

UNNAMED = "row"
"""Name of a first column without a name."""

_CELLS_AT_ONCE = 1 << 22  # 32 MB of float64
_BLOCK_BYTES = 8 << 20  # of a text file; a line must fit into one
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".csv.gz": ",", ".tsv.gz": "\t"}
_PARQUET, _FEATHER, _NPZ = (".parquet", ".pq"), (".feather", ".arrow"), (".npz",)
SUFFIXES = (*_DELIMITERS, *_PARQUET, *_FEATHER, *_NPZ)


@dataclass(frozen=True)
class Piece:
    """Some consecutive rows of a table."""

    file: Path
    first_row: int
    """Number of the first row in its file, from 1; a header does not count."""
    batch: pa.RecordBatch


@dataclass(frozen=True)
class Table:
    """A table on disk: its columns and how to read them."""

    files: tuple[Path, ...]
    suffix: str
    types: Mapping[str, pa.DataType]
    """By column, in the order of the first file; text files: as guessed from the first block."""
    arrays: Mapping[str, str]
    """NPZ: the array that a column is taken from. Empty otherwise."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.types)

    @property
    def where(self) -> str:
        """The table in a message."""
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0]}{more}"

    @property
    def num_bytes(self) -> int:
        """Size on disk."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def streams(self) -> bool:
        """Whether reading holds one batch at a time."""
        return self.suffix not in _NPZ

    def num_rows(self) -> int | None:
        """Rows, where the format says so without reading them."""
        if self.suffix not in _PARQUET:
            return None
        total = 0
        for file in self.files:
            with reading(file):
                total += parquet.read_metadata(file).num_rows
        return total

    def pieces(self, columns: Sequence[str], *, as_text: Iterable[str] = ()) -> Iterator[Piece]:
        """The rows in order, with these columns alone.

        Args:
            columns: names, all in the table.
            as_text: of these, columns to be read as they are written: ids.

        Raises:
            InputError: a file that is damaged, or text where the beginning of a text file had numbers.
        """
        rows_at_once = max(256, min(1 << 16, _CELLS_AT_ONCE // max(1, len(columns))))
        text = frozenset(as_text)
        for file in self.files:
            first = 1
            with reading(file):
                for batch in self._batches(file, list(columns), text, rows_at_once):
                    yield Piece(file, first, batch)
                    first += batch.num_rows

    def _batches(
        self, file: Path, columns: list[str], text: frozenset[str], rows_at_once: int
    ) -> Iterator[pa.RecordBatch]:
        if self.suffix in _DELIMITERS:
            yield from self._text_batches(file, columns, text)
        elif self.suffix in _PARQUET:
            # buffered, not memory-mapped or read ahead: one row group of a large file may hold all of it
            with parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as opened:
                for batch in opened.iter_batches(rows_at_once, columns=columns):
                    yield batch.select(columns)
        elif self.suffix in _FEATHER:
            with pa.memory_map(str(file)) as mapped:
                fields = ipc.open_file(mapped).schema.names
                wanted = ipc.IpcReadOptions(included_fields=[fields.index(c) for c in columns])
                opened = ipc.open_file(mapped, options=wanted)
                for index in range(opened.num_record_batches):
                    yield from _slices(opened.get_batch(index).select(columns), rows_at_once)
        else:
            found, _ = _npz_columns(file)
            batch = pa.RecordBatch.from_arrays([pa.array(found[c]) for c in columns], columns)
            yield from _slices(batch, rows_at_once)

    def _text_batches(
        self, file: Path, columns: list[str], text: frozenset[str]
    ) -> Iterator[pa.RecordBatch]:
        names = _header(file, _DELIMITERS[self.suffix])
        types = {name: _read_as(self.types[name], name in text) for name in columns}
        try:
            with _open_text(file, _DELIMITERS[self.suffix], names, columns, types) as opened:
                for batch in opened:
                    if batch.num_rows:
                        yield batch
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
            raise _text_among_numbers(
                file, _DELIMITERS[self.suffix], names, columns, types
            ) from error


def open_table(files: Files) -> Table:
    """Read the column names and types of a table.

    Raises:
        InputError: no such file, an unknown format, a damaged file, two columns of one name, or files that differ in
            their columns.
    """
    paths = _paths(files)
    suffix = _suffix(paths[0])
    types, arrays = _columns(paths[0], suffix)
    for other in paths[1:]:
        if _suffix(other) != suffix:
            raise InputError(
                "the parts of a table have different formats", got=other.name, expected=suffix
            )
        names = _columns(other, suffix)[0]
        if set(names) != set(types):
            odd = sorted(set(names) ^ set(types))
            raise InputError(
                "the parts of a table have different columns",
                got=f"{len(odd)} column(s) not in both: {', '.join(odd[:10])}",
                expected=f"the columns of {paths[0].name}",
                where=other,
            )
    return Table(paths, suffix, types, arrays)


def sha256_of(tables: Sequence[Table]) -> str:
    """Digest of the bytes of all files, each once, in order; names and folders do not enter."""
    from hashlib import sha256

    total = sha256()
    for file in dict.fromkeys(file.resolve() for table in tables for file in table.files):
        with reading(file), file.open("rb") as opened:
            total.update(file_digest(opened, "sha256").digest())
    return total.hexdigest()


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn what the libraries raise for a file that cannot be read into an InputError that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(
            "the file is not UTF-8 text", where=file, hint="save it as UTF-8"
        ) from error
    except (pa.ArrowException, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(
            "the file is damaged, incomplete or of another format than its suffix says",
            got=str(error).splitlines()[0][:200],
            where=file,
        ) from error
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0][:200]
        raise InputError(f"the file cannot be read: {reason}", where=file) from error


def _paths(files: Files) -> tuple[Path, ...]:
    given = [files] if isinstance(files, str | Path) else list(files)
    paths = [Path(path).expanduser() for path in given]
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and _suffix_or_none(p))
            if not inside:
                raise InputError(
                    "the folder has no tables",
                    expected=f"files of {', '.join(SUFFIXES)}",
                    where=path,
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError("no such file", where=path)
    if not found:
        raise InputError("no file is named", expected="a file, a folder or several files")
    return tuple(found)


def _suffix_or_none(path: Path) -> str | None:
    name = path.name.lower()
    return next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), None)


def _suffix(path: Path) -> str:
    found = _suffix_or_none(path)
    if found is None:
        raise InputError(
            "unknown table format",
            got=path.suffix or "no suffix",
            expected=", ".join(SUFFIXES),
            where=path,
        )
    return found


def _columns(file: Path, suffix: str) -> tuple[dict[str, pa.DataType], dict[str, str]]:
    """Types by name, and for NPZ the array of each column."""
    with reading(file):
        if suffix in _DELIMITERS:
            names = _header(file, _DELIMITERS[suffix])
            with _open_text(file, _DELIMITERS[suffix], names, names, {}) as opened:
                schema = opened.schema
        elif suffix in _PARQUET:
            schema = parquet.read_schema(file)
        elif suffix in _FEATHER:
            with pa.memory_map(str(file)) as mapped:
                schema = ipc.open_file(mapped).schema
        else:
            found, arrays = _npz_columns(file)
            return {name: pa.array(values[:1]).type for name, values in found.items()}, arrays
    _refuse_repeated(schema.names, file)
    return dict(zip(schema.names, schema.types, strict=True)), {}


def _header(file: Path, delimiter: str) -> list[str]:
    """Column names of a text file, checked."""
    with csv.open_csv(
        file,
        read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=delimiter),
    ) as opened:
        names = list(opened.schema.names)
    if names[0] == "":
        names[0] = UNNAMED
    if all(_parses(name) for name in names[1:] or names):
        raise InputError(
            "the first line holds numbers, not column names",
            got=", ".join(names[:5]),
            expected="a header",
            where=file,
        )
    if len(names) == 1 and any(mark in names[0] for mark in ";\t,|"):
        raise InputError(
            "the file has one column only, whose name holds another separator",
            got=names[0][:80],
            expected=f"columns separated by {delimiter!r}",
            where=file,
            hint="save it with commas (.csv) or tabs (.tsv)",
        )
    _refuse_repeated(names, file)
    return names


def _refuse_repeated(names: Sequence[str], file: Path) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"{len(repeated)} column name(s) occur more than once",
            got=", ".join(repr(name) for name in repeated[:10]),
            expected="one column a name",
            where=file,
        )


def _open_text(
    file: Path,
    delimiter: str,
    names: list[str],
    columns: list[str],
    types: Mapping[str, pa.DataType],
) -> csv.CSVStreamingReader:
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(
            block_size=_BLOCK_BYTES, use_threads=False, column_names=names, skip_rows=1
        ),
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(
            column_types=dict(types), include_columns=columns, strings_can_be_null=True
        ),
    )


def _text_among_numbers(
    file: Path,
    delimiter: str,
    names: list[str],
    columns: list[str],
    types: Mapping[str, pa.DataType],
) -> InputError:
    """Find the first cell that is no number in a column whose beginning is numbers."""
    suspects = [name for name in columns if types[name] == pa.float64()]
    text = dict.fromkeys(suspects, pa.string())
    row = 1
    with _open_text(file, delimiter, names, suspects, text) as opened:
        for batch in opened:
            for index, name in enumerate(suspects):
                for offset, cell in enumerate(batch.column(index).to_pylist()):
                    if cell is not None and not _parses(cell):
                        return text_in_numbers(name, cell, file, row + offset)
            row += batch.num_rows
    return InputError("a column of numbers cannot be read", where=file)


def text_in_numbers(name: str, cell: str, file: object, row: int) -> InputError:
    """The error for one cell of text in a column of numbers."""
    return InputError(
        f"text in the numeric column {name!r}",
        got=repr(cell),
        expected="a number; an empty cell or NA where it is missing",
        where=f"{file}, row {row}",
    )


def _parses(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_as(guessed: pa.DataType, as_text: bool) -> pa.DataType:
    """The type that a column of a text file is read as; a first block without any value promises nothing else."""
    if as_text:
        return pa.string()
    numeric = pa.types.is_integer(guessed) or pa.types.is_floating(guessed)
    return pa.float64() if numeric or pa.types.is_null(guessed) else guessed


def _slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _npz_columns(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Columns by name, and the array each is taken from.

    A one-dimensional array is a column of its name. A two-dimensional array `X` is columns `X1`, `X2`, ..., or those
    named by an array `X_columns`.
    """
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays: dict[str, Any] = {name: opened[name] for name in opened.files}
    except ValueError as error:
        raise InputError(
            "the NPZ file holds objects, or is damaged", got=str(error)[:200], where=file
        ) from error
    tables = {name for name, values in arrays.items() if values.ndim == 2}
    labels = {f"{name}_columns" for name in tables}
    columns: dict[str, np.ndarray] = {}
    origin: dict[str, str] = {}
    lengths = set()
    for name, values in arrays.items():
        if name in labels:
            continue
        if values.ndim not in {1, 2}:
            raise InputError(
                f"the array {name!r} is no table",
                got=values.shape,
                expected="one or two axes",
                where=file,
            )
        lengths.add(values.shape[0])
        if values.ndim == 1:
            added = {name: values}
        else:
            given = arrays.get(f"{name}_columns")
            titles = (
                [f"{name}{index + 1}" for index in range(values.shape[1])]
                if given is None
                else [str(title) for title in given]
            )
            if len(titles) != values.shape[1]:
                raise InputError(
                    f"the array '{name}_columns' does not name the columns of {name!r}",
                    got=len(titles),
                    expected=str(values.shape[1]),
                    where=file,
                )
            _refuse_repeated(titles, file)
            added = {title: values[:, index] for index, title in enumerate(titles)}
        _refuse_repeated([*columns, *added], file)
        columns |= added
        origin |= dict.fromkeys(added, name)
    if len(lengths) > 1 or not columns:
        raise InputError(
            "the arrays of the NPZ file have different numbers of rows"
            if columns
            else "the NPZ file has no arrays",
            got=sorted(lengths),
            where=file,
        )
    return columns, origin
