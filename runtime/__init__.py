"""Everything between a message and the journal: the words, the mind, the hands, and what people write against."""
