"""`make demo-live`: the same story on a real Prefect server, with nothing recorded beforehand."""
