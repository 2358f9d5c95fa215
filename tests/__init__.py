"""Tests: each says its promise in one sentence."""
