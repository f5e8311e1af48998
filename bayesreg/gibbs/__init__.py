"""The blocked Gibbs sampler: a stand-alone core of pure JAX functions, without NumPyro."""
