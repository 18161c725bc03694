"""The tests, each where its subject sits; the people and orders that they tell of are in tests/world.py."""
