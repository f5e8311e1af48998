"""`toolkit bayes`: one line a command; each lives in its own file."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="bayes",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Bayesian reduced-rank regression with latent noise: many targets, weak covariates, structured noise.",
)


@app.callback()
def bayes() -> None:
    """Bayesian reduced-rank regression with latent noise: many targets, weak covariates, structured noise."""
