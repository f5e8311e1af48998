"""Runs programs that nobody trusts under the kernel's limits; says what happened, never whether it was right.

`pool.Sandbox` is the way in, `types` what goes in and comes out. `zygote`, `child`, `probe` and what they import run in
processes of their own that never see this program's memory, and use the standard library alone.
"""
