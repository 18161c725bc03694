"""From the event log to a client: the doorbell wakes the tail, the tail feeds the streams."""
