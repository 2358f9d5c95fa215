"""The judgement: tables in, findings out. No file, no clock, no connection is touched here.

`request` says what a review is about, `restart` and `incident` name the queries they need and turn their
results into checks, sections and a verdict. Two facts do not come from a query: `store.chain` (one row:
is_ok, event_count, finding) and `store.probation` (probation_id, hold_id, automation_id, max_runs,
started_at, ended_at; one row per automation let through). Callers pass them among the tables.
"""
