"""The gate and three flag clients in one interpreter, by turns: started by `compare` in an environment of its own.

Each client answers from memory, without a network, one of a hundred flags under a context of the four keys that
our scope has; its flag is off because the fourth key differs, as our automation is CLEAR for the same reason.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import alternate
from workbench.gate import Gate, GateState

FLAG_COUNT = 100
CALLS = 300
ROUNDS = 41
Context = Mapping[str, str]
Ask = Callable[[], object]
Asker = Callable[[Context], Ask]
"""Gives, for a context, what asks the client once."""


def openfeature_client(on: Context) -> Asker:
    """Return what asks the OpenFeature client with its in-memory provider."""
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagResolutionDetails, Reason
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    def evaluate(flag: Any, asked: Any) -> Any:
        is_on = all(asked.attributes.get(key) == value for key, value in on.items())
        variant = "on" if is_on else "off"
        return FlagResolutionDetails(
            flag.variants[variant], reason=Reason.TARGETING_MATCH, variant=variant
        )

    variants = {"on": True, "off": False}
    flags = {
        f"hold-{n}": InMemoryFlag("off", variants, context_evaluator=evaluate)
        for n in range(FLAG_COUNT)
    }
    api.set_provider(InMemoryProvider(flags))
    client = api.get_client()

    def ask_in(context: Context) -> Ask:
        asked = EvaluationContext(targeting_key="a-7", attributes=dict(context))
        return lambda: client.get_boolean_value("hold-7", False, asked)

    return ask_in


def unleash_client(on: Context) -> Asker:
    """Return what asks the Unleash client, its features given at the start, nothing fetched."""
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    constraints = [
        {"contextName": key, "operator": "IN", "values": [value]} for key, value in on.items()
    ]
    strategy = {"name": "default", "parameters": {}, "constraints": constraints}
    features = [
        {"name": f"hold-{n}", "enabled": True, "strategies": [strategy], "variants": []}
        for n in range(FLAG_COUNT)
    ]
    cache = FileCache("workbench-bench", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 2, "features": features})
    client = UnleashClient(
        url="http://127.0.0.1:9/api",
        app_name="workbench-bench",
        cache=cache,
        disable_metrics=True,
        disable_registration=True,
        refresh_interval=86_400,
    )
    client.initialize_client(fetch_toggles=False)

    def ask_in(context: Context) -> Ask:
        asked = {"userId": "a-7", "properties": dict(context)}
        return lambda: client.is_enabled("hold-7", asked)

    return ask_in


def launchdarkly_client(on: Context) -> Asker:
    """Return what asks the LaunchDarkly client on its own source of test flags, offline."""
    from ldclient import Context as LDContext
    from ldclient import LDClient
    from ldclient.config import Config
    from ldclient.integrations.test_data import TestData

    source = TestData.data_source()
    for n in range(FLAG_COUNT):
        flag = source.flag(f"hold-{n}").fallthrough_variation(False)
        (first, value), *others = on.items()
        rule = flag.if_match(first, value)
        for key, wanted in others:
            rule = rule.and_match(key, wanted)
        source.update(rule.then_return(True))
    client = LDClient(Config("offline", update_processor_class=source, send_events=False))

    def ask_in(context: Context) -> Ask:
        builder = LDContext.builder("a-7")
        for key, value in context.items():
            builder = builder.set(key, value)
        asked = builder.build()
        return lambda: client.variation("hold-7", asked, False)

    return ask_in


def compared(gate_folder: Path, on: Context, context: Context) -> dict[str, Any]:
    """Return the rounds of the gate and of each client, in seconds a call, and the clients' versions.

    Raises RuntimeError where one of them gives the wrong answer, for that would be measured for nothing.
    """
    # Some of our keys are words of a client's own: a context's kind, the client's environment.
    on, context = ({f"automation-{key}": value for key, value in c.items()} for c in (on, context))
    gate = Gate(gate_folder)
    if gate.check("a-7").state is not GateState.CLEAR:
        raise RuntimeError("the gate does not say CLEAR where the fourth key differs")
    asks: dict[str, Ask] = {"gate": lambda: gate.check("a-7")}
    for name, (make, _) in CLIENTS.items():
        asker = make(on)
        asks[name] = asker(context)
        if asker(on)() is not True or asks[name]() is not False:
            raise RuntimeError(f"{name} does not tell apart what the four keys do")
    rounds = alternate(*asks.values(), calls=CALLS, rounds=ROUNDS)
    return {
        "rounds": dict(zip(asks, rounds, strict=True)),
        "versions": {name: {package: version(package)} for name, (_, package) in CLIENTS.items()},
    }


CLIENTS: Mapping[str, tuple[Callable[[Context], Asker], str]] = {
    "openfeature": (openfeature_client, "openfeature-sdk"),
    "unleash": (unleash_client, "UnleashClient"),
    "launchdarkly": (launchdarkly_client, "launchdarkly-server-sdk"),
}
"""Name -> what makes what asks it, and the package that it comes in."""


def main() -> None:
    """Compare as the words of the command line say, and print what was found as JSON."""
    logging.disable(logging.CRITICAL)
    folder, on, context = sys.argv[1:]
    found = compared(Path(folder), json.loads(on), json.loads(context))
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # the clients' threads would be waited for


if __name__ == "__main__":
    main()
