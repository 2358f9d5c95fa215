"""Reads run history from automation engines over HTTP, without any engine's package."""
