"""Bayesian reduced-rank regression with latent noise: many targets, weak covariates, structured noise.

Imports nothing by itself: JAX and NumPyro are loaded by the modules that compute. The model and every equation number
in a docstring refer to docs/methods/bayes.md.
"""
