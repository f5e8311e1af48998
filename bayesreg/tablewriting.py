"""Tables out, batch by batch: CSV, TSV, Parquet and Feather by suffix. A file appears when it is complete."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, ipc, parquet

from runtime.errors import InputError
from runtime.storage import storage_errors

OUT_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather")
Write = Callable[[pa.RecordBatch], object]


@contextmanager
def table_writer(out: Path | None, schema: pa.Schema) -> Iterator[Write]:
    """A function that appends batches of this schema.

    Args:
        out: the file; None is standard output, as CSV.
        schema: of every batch.

    Raises:
        InputError: an unknown suffix.
        StorageError: the disk refuses.
    """
    if out is None:
        with csv.CSVWriter(sys.stdout.buffer, schema, write_options=_options(",")) as writer:
            yield writer.write_batch
        sys.stdout.flush()
        return
    check_suffix(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    with storage_errors(out):
        try:
            with _opened(partial, out.suffix.lower(), schema) as write:
                yield write
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)


def check_suffix(out: Path) -> None:
    """Refuse a file whose format is not known, before anything is computed.

    Raises:
        InputError: an unknown suffix.
    """
    if out.suffix.lower() not in OUT_SUFFIXES:
        raise InputError(
            "unknown table format",
            got=out.suffix or "no suffix",
            expected=", ".join(OUT_SUFFIXES),
            where=out,
        )


@contextmanager
def _opened(path: Path, suffix: str, schema: pa.Schema) -> Iterator[Write]:
    if suffix == ".parquet":
        with parquet.ParquetWriter(path, schema) as writer:
            yield writer.write_batch
    elif suffix == ".feather":
        with ipc.new_file(
            str(path), schema, options=ipc.IpcWriteOptions(compression="lz4")
        ) as writer:
            yield writer.write_batch
    else:
        delimiter = "\t" if suffix == ".tsv" else ","
        with csv.CSVWriter(str(path), schema, write_options=_options(delimiter)) as writer:
            yield writer.write_batch


def _options(delimiter: str) -> csv.WriteOptions:
    return csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
