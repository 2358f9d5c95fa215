"""Lets `python -m workbench` run the command line."""

from workbench.cli import main

main()
