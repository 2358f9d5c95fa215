"""The first two minutes: pause, proof, refusal, reports of a recorded incident, a narrow restart."""
