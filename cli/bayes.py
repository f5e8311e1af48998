"""`toolkit bayes`: one line a command; each lives in its own file."""

from __future__ import annotations

import typer

from cli import bayes_check, bayes_compare, bayes_fit, bayes_predict, bayes_simulate
from cli.options import PASS_THROUGH

app = typer.Typer(
    name="bayes",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Bayesian reduced-rank regression with latent noise: many targets, weak covariates, structured noise.",
)


@app.callback()
def bayes() -> None:
    """Bayesian reduced-rank regression with latent noise: many targets, weak covariates, structured noise."""


app.command(context_settings=PASS_THROUGH, epilog=bayes_fit.EPILOG)(bayes_fit.fit)
app.command(epilog=bayes_predict.EPILOG)(bayes_predict.predict)
app.command(context_settings=PASS_THROUGH, epilog=bayes_compare.EPILOG)(bayes_compare.compare)
app.command(context_settings=PASS_THROUGH, epilog=bayes_simulate.EPILOG)(bayes_simulate.simulate)
app.command(context_settings=PASS_THROUGH, epilog=bayes_check.EPILOG)(bayes_check.check)
