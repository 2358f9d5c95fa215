"""Figures of the reports: pure, drawn as SVG, safe with any text."""
