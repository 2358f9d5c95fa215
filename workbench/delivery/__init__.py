"""Brings engines where the log wants them, reads back, and goes on until they are: delivery and reconciling."""
