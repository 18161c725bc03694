"""Executes GraphQL operations over a graphql-core schema level by level; knows nothing of what it is used for."""

from engine.document import definitions_of
from engine.engine import Engine, Plan
from engine.executor import EngineExecutor
from engine.info import LevelInfo, ResolveInfo
from engine.readers import Attribute, Batch, BatchFunction, Itself, Lookup, Method, Reader, ReaderOf, Resolver, ordinary
from engine.run import Run

__all__ = [
    "Attribute",
    "Batch",
    "BatchFunction",
    "Engine",
    "EngineExecutor",
    "Itself",
    "LevelInfo",
    "Lookup",
    "Method",
    "Plan",
    "Reader",
    "ReaderOf",
    "ResolveInfo",
    "Resolver",
    "Run",
    "definitions_of",
    "ordinary",
]
