"""The torture test: servers, ring and database are hurt, and nobody misses or repeats an event."""
