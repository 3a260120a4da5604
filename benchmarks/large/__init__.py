"""Workflows parked by the hundred thousand and by the million: what they cost where they lie, and who they hold up."""
