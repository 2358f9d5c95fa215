"""Lets `python -m workbench.cli` run the command line."""

from workbench.cli import main

main()
