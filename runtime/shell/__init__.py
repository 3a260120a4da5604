"""The hands: actors, commit, activities, timers, recovery."""
