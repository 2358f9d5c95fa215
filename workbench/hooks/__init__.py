"""Asks the gate from inside an engine, so that its automations need not be edited to be stopped."""
