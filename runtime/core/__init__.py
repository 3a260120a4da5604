"""The mind: deterministic, and without hands."""
