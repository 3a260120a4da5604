"""The words: values only."""
