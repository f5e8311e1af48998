"""The HTML report of a run, from its files alone."""

from rlgrok.report.build import build_report

__all__ = ["build_report"]
