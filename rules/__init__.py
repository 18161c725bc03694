"""The law of the product: pure rules of the trade; no clock, no await, no I/O."""
