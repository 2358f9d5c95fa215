"""Benchmarks: each measures us and something bare in the same run, and reports the ratio."""
