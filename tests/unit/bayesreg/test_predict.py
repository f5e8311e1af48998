"""Tables of predictions: names and ids to the output, columns found by name, refusals, every format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

from bayesreg import predict
from bayesreg.columns import RawColumn
from bayesreg.data import TableMeta, make_meta
from bayesreg.drawsfile import StoredFit
from bayesreg.predict import Shape, predict_tables, quantile_name
from bayesreg.predictive import Predictor
from bayesreg.transforms import Standardisation
from bayesreg.types import Draws, ModelSettings
from runtime.errors import InputError

COLOUR = RawColumn("colour", "categorical", ("blue", "green", "red"), (("colour[green]", "rare"),))
META = make_meta("id", ("t", "u"), [RawColumn("a", "numeric"), COLOUR], [RawColumn("c", "numeric")])
PLAIN = make_meta(None, ("t", "u"), [RawColumn("a", "numeric")], [])


def make_fit(meta: TableMeta = META) -> StoredFit:
    rng = np.random.default_rng(0)
    p, c, k, s, lead = len(meta.covariates), len(meta.confounders), 2, 1, (2, 30)
    psi = 1.0 + 0.1 * rng.normal(size=(*lead, p, s))
    draws = Draws(
        psi=psi,
        psi_mean=psi,
        loadings=np.ones((*lead, s, k)),
        noise_loadings=np.zeros((*lead, 0, k)),
        confounder_coef=np.ones((*lead, c, k)),
        noise_scale=np.ones((*lead, k)),
        latent_snr=np.ones(lead),
        latent_variance=np.full(lead, 0.5),
        signal_shape=np.ones((*lead, s, s)),
        log_likelihood=np.zeros(lead),
        local_scale=np.ones((*lead, s, k)),
        shrinkage=np.ones((*lead, s)),
        imputed=np.zeros((*lead, 0)),
        intercept=np.zeros((*lead, k)),
    )
    scaling = {
        f"{role}_scaling": Standardisation(np.full(n, 2.0), np.full(n, 3.0))
        for role, n in (("x", p), ("z", c), ("y", k))
    }
    return StoredFit(
        draws=draws,
        settings=ModelSettings(rank=s),
        meta=meta,
        rotation=np.eye(p),
        covariate_gram=np.ones(p),
        num_rows=50,
        **scaling,
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


NEW = "u,colour,id,a,extra,c\n0,red,n1,1.5,9,1\n0,blue,007,2,9,2\n0,green,x,-1,9,3\n"


def test_long_and_wide_hold_the_same_numbers_under_the_ids(tmp_path: Path) -> None:
    x = write(tmp_path / "new.csv", NEW)
    long, wide = tmp_path / "long.csv", tmp_path / "wide.csv"
    counts = predict_tables(make_fit(), x, out=long)
    predict_tables(make_fit(), x, out=wide, shape=Shape.WIDE, quantiles=(0.5, 0.975))
    assert (counts.num_rows, counts.num_targets) == (3, 2)
    assert counts.notes == ("1 column(s) of new.csv are not in the fit and not used: extra",)
    text = csv.ConvertOptions(column_types={"row": pa.string()})
    tall, flat = (csv.read_csv(path, convert_options=text) for path in (long, wide))
    assert tall.column_names == [
        "row",
        "target",
        "mean",
        "sd",
        "q05",
        "q95",
        "signal_sd",
        "noise_sd",
    ]
    assert flat.column_names[:7] == [
        "row",
        "t",
        "t__sd",
        "t__q50",
        "t__q975",
        "t__signal_sd",
        "t__noise_sd",
    ]
    assert flat["row"].to_pylist() == ["n1", "007", "x"]
    assert tall["row"].to_pylist() == ["n1", "n1", "007", "007", "x", "x"]
    assert tall["target"].to_pylist() == ["t", "u"] * 3
    np.testing.assert_array_equal(tall["mean"].to_numpy()[::2], flat["t"].to_numpy())
    design = np.array(
        [[1.5, 1.0], [2.0, 0.0], [-1.0, 0.0]]
    )  # the level green was dropped at the fit
    fit = make_fit()
    direct = Predictor(
        fit.draws, x_scaling=fit.x_scaling, z_scaling=fit.z_scaling, y_scaling=fit.y_scaling
    )(design, np.array([[1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(tall["q95"].to_numpy().reshape(3, 2), direct.quantiles[0.95])
    np.testing.assert_allclose(tall["sd"].to_numpy().reshape(3, 2), direct.sd)
    np.testing.assert_allclose(tall["signal_sd"].to_numpy().reshape(3, 2), direct.signal_sd)
    # 3 * (1 * ((1.5 - 2) / 3 + (1 - 2) / 3) + (1 - 2) / 3) + 2, but for the draws' mean instead of 1
    assert direct.mean[0, 0] == pytest.approx(-0.5, abs=0.2)


@pytest.mark.parametrize("suffix", [".tsv", ".parquet", ".feather"])
def test_every_format_holds_the_same_table(suffix: str, tmp_path: Path) -> None:
    x = write(tmp_path / "new.csv", "a\n1\n2.5\n")
    out = tmp_path / f"p{suffix}"
    predict_tables(make_fit(PLAIN), x, out=out)
    predict_tables(make_fit(PLAIN), x, out=tmp_path / "p.csv")
    expected = csv.read_csv(tmp_path / "p.csv")
    tabs = csv.ParseOptions(delimiter="\t")
    found = {
        ".tsv": lambda: csv.read_csv(out, parse_options=tabs),
        ".parquet": lambda: parquet.read_table(out),
        ".feather": lambda: feather.read_table(out),
    }[suffix]()
    assert found["row"].to_pylist() == [1, 1, 2, 2]  # rows without ids are numbered from 1
    assert found.equals(expected)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_confounders_in_another_order_are_matched_by_id(tmp_path: Path) -> None:
    together = write(tmp_path / "new.csv", NEW)
    alone = write(tmp_path / "z.csv", "id,c\nx,3\nn1,1\nnobody,8\n007,2\n")
    without = write(tmp_path / "x.csv", "id,a,colour\nn1,1.5,red\n007,2,blue\nx,-1,green\n")
    predict_tables(make_fit(), together, out=tmp_path / "a.csv")
    counts = predict_tables(make_fit(), without, alone, out=tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    assert "1 of 4 rows of z.csv left out" in counts.notes[0]
    assert "'nobody'" in counts.notes[0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "id,a,c\n1,2,3\n",
            r"1 of the 2 covariates of the fit are not in the table.*expected colour",
        ),
        ("id,A,colour,c\n1,2,red,3\n", r"not in the table.*expected a;"),
        ("id,a,colour\n1,2,red\n", r"1 of the 1 confounders of the fit.*expected c"),
        ("id,a,colour,c\n1,2,red,3\n2,2,pink,3\n", r"1 level\(s\) of 'colour'.*got 'pink'.*row 2"),
        (
            "id,a,colour,c\n1,2,red,3\n2,,red,3\n",
            r"missing cells in 1 of the covariates.*a \(1\).*row 2",
        ),
        ("id,a,colour,c\n1,2,,3\n", r"missing cells.*colour \(1\).*row 1"),
        ("id,a,colour,c\n1,2,red,3\n2,inf,red,3\n", r"infinite values in column 'a'.*row 2"),
        (
            "id,a,colour,c\n1,2,red,3\n2,x,red,3\n",
            r"text in the numeric column 'a'.*got 'x'.*row 2",
        ),
        ("id,a,colour,c\n", "the table has no rows"),
    ],
)
def test_what_is_refused(table: str, message: str, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with pytest.raises(InputError, match=message):
        predict_tables(make_fit(), write(tmp_path / "new.csv", table), out=out)
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


def test_options_that_are_refused(tmp_path: Path) -> None:
    x = write(tmp_path / "new.csv", "a\n1\n")
    fit = make_fit(PLAIN)
    with pytest.raises(InputError, match=r"level is out of range; got 1.5"):
        predict_tables(fit, x, out=tmp_path / "p.csv", quantiles=(1.5,))
    with pytest.raises(InputError, match=r"unknown table format; got .xlsx"):
        predict_tables(fit, x, out=tmp_path / "p.xlsx")
    with pytest.raises(InputError, match="the fit has no confounders"):
        predict_tables(fit, x, x, out=tmp_path / "p.csv")
    with pytest.raises(InputError, match="no id column of that name; got who"):
        predict_tables(fit, x, out=tmp_path / "p.csv", id_column="who")


def test_chunks_leave_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_CELLS_AT_ONCE", 1000)
    rng = np.random.default_rng(1)
    table = pa.table({"a": rng.normal(size=3000)})
    parquet.write_table(table, tmp_path / "new.parquet", row_group_size=700)
    seen: list[int] = []
    predict_tables(
        make_fit(PLAIN), tmp_path / "new.parquet", out=tmp_path / "p.parquet", progress=seen.append
    )
    found = parquet.read_table(tmp_path / "p.parquet")
    assert found["row"].to_pylist() == np.repeat(np.arange(3000) + 1, 2).tolist()
    assert len(seen) == 6
    assert seen[-1] == 3000
    slope = np.polyfit(table["a"].to_numpy(), found["mean"].to_numpy()[::2], 1)
    assert slope[0] == pytest.approx(1.0, abs=0.1)  # 3 * (1 / 3), but for the draws


def test_names_of_quantiles() -> None:
    assert [quantile_name(q) for q in (0.05, 0.5, 0.975, 0.001)] == ["q05", "q50", "q975", "q001"]


def test_meta_survives_json() -> None:
    assert TableMeta.from_json(json.loads(json.dumps(META.to_json()))) == META
    assert META.covariates == ("a", "colour[red]")
