"""The question an automation asks before it acts: may I go on?

    from workbench.gate import Gate, Paused

    gate = Gate()
    with gate.run("invoice-triage", run_id):      # refuses to start while held
        for step in steps:
            gate.pause_point()                    # stops a long run at the next step
            step()

    @gate.guarded("invoice-triage")               # the same around a function, plain or async
    def triage(invoice): ...

Standard library only; it never opens the store but reads what that published. Three answers: PAUSED,
CLEAR, UNKNOWN. UNKNOWN is not "not paused": the caller says what it does then, by default it stops.
"""

from workbench.answers import GateAnswer, GateState
from workbench.gate.asked import Effect, OnUnknown, Paused, Unknown
from workbench.gate.asking import Gate

__all__ = ["Effect", "Gate", "GateAnswer", "GateState", "OnUnknown", "Paused", "Unknown"]
