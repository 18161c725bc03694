"""Small loops that issue ordinary commands: deadlines that were passed, refunds that the gateway must pay."""
