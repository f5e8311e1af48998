"""From files to tables: every format the same numbers, ids matched, levels coded, and what is refused or left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from bayesreg.config import TablesConfig
from bayesreg.data import RegressionData, TableMeta, TableSource, read_regression
from bayesreg.sources import load_source
from runtime.errors import InputError

RNG = np.random.default_rng(0)
N = 30
IDS = [f"p{row}" for row in range(N)]
AGE, HEIGHT = RNG.normal(50, 9, N), RNG.normal(170, 8, N)
SITE = [("berlin", "athens", "cairo")[row % 3] for row in range(N)]
Y = RNG.normal(size=(N, 2))
COVARIATES = {"id": IDS, "age": AGE, "site": SITE, "height": HEIGHT}
TARGETS = {"id": IDS, "u": Y[:, 0], "v": Y[:, 1]}


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """A table in the format of the suffix."""
    if path.suffix == ".npz":
        np.savez(path, **{name: np.asarray(values) for name, values in columns.items()})
        return path
    table = pa.table(dict(columns))
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    elif path.suffix == ".feather":
        pa.feather.write_feather(table, path)
    else:
        options = pa.csv.WriteOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
        pa.csv.write_csv(table, path, options)
    return path


def read(folder: Path, x: Mapping[str, Any], y: Mapping[str, Any], **settings: Any) -> RegressionData:
    return read_regression(
        TableSource(write(folder / "x.csv", x), write(folder / "y.csv", y), **settings)
    )


def without(columns: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values for name, values in columns.items() if name not in names}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "feather", "npz"])
def test_every_format_gives_the_same_numbers_and_names(suffix: str, tmp_path: Path) -> None:
    x, y = (
        write(tmp_path / f"{name}.{suffix}", columns)
        for name, columns in (("x", COVARIATES), ("y", TARGETS))
    )
    found = read_regression(TableSource(x, y))
    assert found.meta.covariates == ("age", "site[berlin]", "site[cairo]", "height")
    assert found.meta.targets == ("u", "v")
    assert found.ids.tolist() == IDS
    expected = [AGE, [s == "berlin" for s in SITE], [s == "cairo" for s in SITE], HEIGHT]
    np.testing.assert_allclose(found.x, np.transpose(np.array(expected, float)), rtol=1e-15)
    np.testing.assert_allclose(found.y, Y, rtol=1e-15)
    assert found.z.shape == (N, 0) and found.notes == ()


def test_an_npz_file_of_matrices_names_its_columns(tmp_path: Path) -> None:
    x, z = RNG.normal(size=(N, 3)), RNG.normal(size=(N, 1))
    np.savez(tmp_path / "all.npz", x=x, y=Y, z=z, y_columns=np.array(["wheat", "rye"]))
    found = read_regression(TableSource(tmp_path / "all.npz"))
    assert found.meta.targets == ("wheat", "rye")
    assert found.meta.covariates == ("x1", "x2", "x3")
    for mine, other in ((found.x, x), (found.y, Y), (found.z, z)):
        np.testing.assert_array_equal(mine, other)


def test_rows_are_matched_by_id_in_the_order_of_the_covariates(tmp_path: Path) -> None:
    order = RNG.permutation(N)
    shuffled = {name: [values[i] for i in order[4:]] for name, values in TARGETS.items()}
    found = read(tmp_path, COVARIATES, shuffled)
    kept = [row for row in range(N) if row in set(order[4:].tolist())]
    assert found.ids.tolist() == [IDS[row] for row in kept]
    np.testing.assert_allclose(found.y, Y[kept])
    np.testing.assert_allclose(found.x[:, 0], AGE[kept])
    assert len(found.notes) == 1
    assert found.notes[0].startswith("4 of 30 rows of x.csv left out, because their ids are not in every")


def test_rows_without_ids_are_paired_by_position(tmp_path: Path) -> None:
    order = RNG.permutation(N)
    shuffled = {name: [values[i] for i in order] for name, values in TARGETS.items()}
    found = read(tmp_path, COVARIATES, shuffled, id_column="-", covariates=("age",), targets=("u",))
    assert found.ids is None
    np.testing.assert_allclose(found.y[:, 0], Y[order, 0])
    plain = read(tmp_path, without(COVARIATES, "id"), without(TARGETS, "id"))
    np.testing.assert_allclose(plain.y, Y)


def test_one_table_with_columns_chosen_by_name_glob_range_and_exclusion(tmp_path: Path) -> None:
    path = write(tmp_path / "all.csv", {**COVARIATES, **TARGETS, "z1": AGE**2, "z2": HEIGHT**2})
    named = read_regression(
        TableSource(path, targets=("u:v",), confounders=("z?",), covariates=("!site", "!z*", "!u", "!v"))
    )
    assert (named.meta.covariates, named.meta.confounders) == (("age", "height"), ("z1", "z2"))
    rest = read_regression(TableSource(path, targets=("u", "v"), confounders=("z1",)))
    assert rest.meta.covariates == ("age", "site[berlin]", "site[cairo]", "height", "z2")


def test_missing_target_cells_stay_missing(tmp_path: Path) -> None:
    holes = [None if row in {3, 7} else value for row, value in enumerate(Y[:, 0].tolist())]
    found = read(tmp_path, COVARIATES, {**TARGETS, "u": holes})
    assert np.flatnonzero(np.isnan(found.y[:, 0])).tolist() == [3, 7]
    assert np.isfinite(found.y[:, 1]).all()


def test_covariates_that_say_nothing_are_left_out_with_a_note(tmp_path: Path) -> None:
    x = {**COVARIATES, "one": [4.0] * N, "twin": AGE, "nothing": [None] * N, "town": ["here"] * N}
    found = read(tmp_path, x, TARGETS)
    assert found.meta.covariates == ("age", "site[berlin]", "site[cairo]", "height")
    assert found.x.shape == (N, 4)
    text = "\n".join(found.notes)
    assert "one left out of the covariates: it does not vary" in text
    assert "twin left out of the covariates: it equals age in every row" in text
    assert "nothing left out of the covariates: all its cells are missing" in text
    assert "town left out" in text


def test_numbers_are_categories_where_they_are_named_so(tmp_path: Path) -> None:
    x = {**without(COVARIATES, "site"), "batch": [(10, 2, 1)[row % 3] for row in range(N)]}
    found = read(tmp_path, x, TARGETS, categorical=("batch",))
    assert found.meta.covariates == ("age", "height", "batch[2]", "batch[10]")  # by size
    np.testing.assert_array_equal(found.x[:4, 2:], [[0, 1], [1, 0], [0, 0], [0, 1]])


REFUSED = {
    "text among numbers": (
        {**COVARIATES, "age": ["41", "old", *map(str, AGE[2:])]}, TARGETS, {},
        r"text in the numeric column 'age'; got 'old'.*row 2",
    ),
    "missing covariates": (
        {**COVARIATES, "age": [None, None, *AGE[2:]], "height": [None, *HEIGHT[1:]]}, TARGETS, {},
        r"missing cells in 2 of the covariates; got .*age \(2\), height \(1\)",
    ),
    "infinite": (
        {**COVARIATES, "age": [np.inf, *AGE[1:]]}, TARGETS, {}, r"infinite values in column 'age'.*row 1",
    ),
    "an idle target": (COVARIATES, {**TARGETS, "v": [2.0] * N}, {}, r"1 target\(s\) do not vary.*got v"),
    "ids twice": (
        {**COVARIATES, "id": ["p1", *IDS[1:]]}, TARGETS, {}, r"1 id\(s\) occur more than once; got 'p1' \(2\)",
    ),
    "no id in common": (
        {**COVARIATES, "id": [f"q{row}" for row in range(N)]}, TARGETS, {},
        r"no id is in every table; got x.csv: 'q0'.*y.csv: 'p0'",
    ),
    "different lengths": (
        without(COVARIATES, "id"), {"u": Y[:-1, 0]}, {}, r"different numbers of rows.*got x.csv 30, y.csv 29",
    ),
    "ids in one table": (COVARIATES, without(TARGETS, "id"), {}, r"one table has a column 'id'"),
    "an unknown column": (COVARIATES, TARGETS, {"covariates": ("agee",)}, r"no column.*agee.*did you mean age"),
    "nothing that varies": (
        {"id": IDS, "one": [1.0] * N}, TARGETS, {}, r"no covariate is left; got one left out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_and_named(name: str, tmp_path: Path) -> None:
    x, y, settings, message = REFUSED[name]
    with pytest.raises(InputError) as caught:
        read(tmp_path, x, y, **settings)
    assert re.search(message, f"{caught.value} {caught.value.hint or ''}", re.DOTALL), caught.value


def test_free_text_is_no_category_unless_it_is_named(tmp_path: Path) -> None:
    many = 60
    x = {"a": RNG.normal(size=many), "note": [f"text {row}" for row in range(many)]}
    y = {"u": RNG.normal(size=many)}
    with pytest.raises(InputError, match=r"'note' has too many levels.*got 60 levels"):
        read(tmp_path, x, y)
    assert len(read(tmp_path, x, y, categorical=("note",)).meta.covariates) == 60


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.xlsx", b"PK", "unknown table format; got .xlsx"),
        ("x.csv", b"1,2\n3,4\n", "the first line holds numbers"),
        ("x.csv", b"a;b\n1;2\n", "one column only, whose name holds another separator"),
        ("x.csv", b"a,b,a\n1,2,3\n", r"1 column name\(s\) occur more than once"),
        ("x.csv", b"a,b\n\xff\xfe,2\n", "x.csv"),
        ("x.parquet", b"PAR1 and then nothing", "damaged, incomplete or of another format"),
        ("x.feather", b"ARROW1", "damaged, incomplete or of another format|cannot be read"),
        ("x.npz", b"not a zip", "objects, or is damaged|damaged, incomplete"),
    ],
)
def test_files_that_are_no_tables_are_named(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_regression(TableSource(tmp_path / name, write(tmp_path / "y.csv", {"u": [1.0, 2.0]})))
    assert name in str(caught.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file.*nowhere\.csv"):
        read_regression(TableSource(tmp_path / "nowhere.csv", targets=("u",)))


def test_the_parts_of_a_table_are_read_one_after_the_other(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f"x{part}.csv", {name: values[part::2] for name, values in COVARIATES.items()})
        for part in (0, 1)
    ]
    found = read_regression(TableSource(tuple(parts), write(tmp_path / "y.csv", TARGETS)))
    assert found.ids.tolist() == IDS[0::2] + IDS[1::2]
    np.testing.assert_allclose(found.y, np.concatenate([Y[0::2], Y[1::2]]))
    odd = write(tmp_path / "odd.csv", without(COVARIATES, "site"))
    with pytest.raises(InputError, match=r"different columns.*site"):
        read_regression(TableSource((parts[0], odd), tmp_path / "y.csv"))


def test_a_streamed_table_leaves_the_factor_of_the_table_in_memory(tmp_path: Path) -> None:
    """The same columns, codes and notes; its factor has the centred cross products of the data."""

    def parts(letter: str, columns: Mapping[str, Any], rows: int) -> list[Path]:
        """Files of some rows each, which are read one by one, so that chunks of X and Y do not end together."""
        return [
            write(
                tmp_path / f"{letter}{start:02}.csv",
                {name: values[start : start + rows] for name, values in columns.items()},
            )
            for start in range(0, N, rows)
        ]

    x = {**COVARIATES, "one": [4.0] * N, "twin": AGE}
    source = TableSource(parts("x", x, 7), parts("y", TARGETS, 11))
    whole, streamed = load_source(source, stream=False), load_source(source, stream=True)
    assert streamed.streamed and not whole.streamed
    assert (streamed.meta, streamed.notes, streamed.sha256) == (whole.meta, whole.notes, whole.sha256)
    assert streamed.num_rows == whole.num_rows == N
    table = np.hstack([whole.data.x, whole.data.y])
    centred = table - table.mean(axis=0)
    factor = streamed.compressed.rows
    np.testing.assert_allclose(factor.T @ factor, centred.T @ centred, rtol=1e-9, atol=1e-9)


def test_tables_that_need_their_rows_are_read_whole_with_a_note(tmp_path: Path) -> None:
    holes = {**TARGETS, "u": [None, *Y[1:, 0].tolist()]}
    source = TableSource(write(tmp_path / "x.csv", COVARIATES), write(tmp_path / "y.csv", holes))
    found = load_source(source, stream=True)
    assert not found.streamed
    assert found.notes[0] == "read into memory, because target cells are missing"


def test_meta_comes_back_from_json(tmp_path: Path) -> None:
    found = read(tmp_path, {**COVARIATES, "one": [4.0] * N}, TARGETS).meta
    assert TableMeta.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("x", "y", "targets", "expected"),
    [
        (["all.npz"], None, [], True),
        (["all.csv"], None, [], False),
        (["all.csv"], None, ["u"], True),
        (["x.csv"], ["y.csv"], [], True),
        (None, None, [], False),
    ],
)
def test_targets_are_named_or_an_array(x: Any, y: Any, targets: Any, expected: bool) -> None:
    found = TablesConfig(
        x=x, y=y, confounders=None, id_column=None, covariates=[], targets=targets,
        confounder_columns=[], categorical=[], stream=None,
    )  # fmt: skip
    assert found.has_targets is expected
