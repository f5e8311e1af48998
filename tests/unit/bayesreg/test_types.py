"""Settings: ranges, combinations, named configurations."""

from __future__ import annotations

import pytest

from bayesreg.types import CONFIGURATIONS, ModelSettings, SignalCovariance
from runtime.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "latent", "independent", "groups"),
    [
        ("latent_noise", True, False, False),
        ("information_sharing", True, True, True),
        ("independent_noise", False, True, False),
        ("brrr", False, False, False),
    ],
)
def test_named_configurations(name: str, latent: bool, independent: bool, groups: bool) -> None:
    settings = CONFIGURATIONS[name]
    found = (settings.latent_noise, settings.independent_noise, settings.group_sparsity)
    assert found == (latent, independent, groups)
    assert settings.samples_snr is latent


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("rank", 0, "at least 1"),
        ("rank", True, "at least 1"),
        ("latent_snr", -1.0, "above 0, or null"),
        ("latent_snr_scale", 0.0, "above 0"),
        ("confounder_scale", float("inf"), "above 0"),
        ("local_dof", 0.5, "at least 1"),
    ],
)
def test_values_out_of_range_name_the_field(field: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"{expected}.*at {field}"):
        ModelSettings(**{field: value})


def test_a_free_signal_covariance_needs_latent_noise() -> None:
    with pytest.raises(ConfigError, match="free signal covariance"):
        ModelSettings(latent_noise=False, signal_covariance=SignalCovariance.FREE)


def test_a_fixed_ratio_is_not_sampled() -> None:
    assert not ModelSettings(latent_snr=0.04).samples_snr
