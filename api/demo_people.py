"""The demo's people: Ada and Bela are clients, Farid and Gita freelancers, Sol is support, Bazaar the marketplace."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token: `what` they are, in words."""

    subject: str
    name: str
    what: str
    scopes: tuple[str, ...] = ()


ADA = Person("client-1", "Ada", "a client")
BELA = Person("client-2", "Bela", "a client")
FARID = Person("freelancer-1", "Farid", "a freelancer")
GITA = Person("freelancer-2", "Gita", "a freelancer")
SOL = Person("support-1", "Sol", "support", ("support",))
BAZAAR = Person("marketplace", "Bazaar", "the marketplace", ("marketplace",))

DEMO_PEOPLE = (ADA, BELA, FARID, GITA, SOL, BAZAAR)
