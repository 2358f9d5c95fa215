"""Executed copies of the notebooks on the shipped recording, which nbval compares with a new run."""
