"""Puts the gate into engines' own workers; each module needs its engine's package, which this one does not bring."""
