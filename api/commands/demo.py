"""The demo's orders as stories: who did what how many hours ago; every status and every kind of request is there."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.demo_people import ADA, BELA, FARID, GITA, SOL, Person
from rules import commands as c
from rules.case import Case
from rules.money import AskedAmount
from rules.vocabulary import SupportDecision

DAY = 24.0
"""In hours, as all times here."""
_NOTHING = UUID(int=0)
"""Stands for what something else has settled meanwhile; the journal refuses it, or knows the step as done."""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody did. The command may need to look at the order: for the request that it answers."""

    hours_ago: float
    by: Person
    command: Callable[[Case], c.CaseCommand]


@dataclass(frozen=True, slots=True)
class Story:
    """One order from its placing to where it stands now."""

    reference: str
    title: str
    price: str
    client: Person
    freelancer: Person
    days: int
    placed_hours_ago: float
    steps: tuple[Step, ...] = ()

    @property
    def asked_price(self) -> AskedAmount:
        return amount(self.price)


def amount(text: str) -> AskedAmount:
    """«12.50 USD»."""
    number, currency = text.split()
    return AskedAmount(Decimal(number), currency)


def _does(hours_ago: float, by: Person, command: c.CaseCommand) -> Step:
    return Step(hours_ago, by, lambda _: command)


def _accepts(hours_ago: float, by: Person) -> Step:
    return Step(hours_ago, by, lambda case: c.AcceptRequest(_pending(case)))


def _declines(hours_ago: float, by: Person, message: str) -> Step:
    return Step(hours_ago, by, lambda case: c.DeclineRequest(_pending(case), message))


def _answers(hours_ago: float, by: Person, answer: str) -> Step:
    return Step(hours_ago, by, lambda case: c.AnswerOrderUpdate(_pending(case), answer))


def _withdraws(hours_ago: float, by: Person) -> Step:
    return Step(hours_ago, by, lambda case: c.WithdrawRequest(_pending(case)))


def _decides(hours_ago: float, decision: SupportDecision, message: str, refund: str | None = None) -> Step:
    def command(case: Case) -> c.CaseCommand:
        opened = case.open_support_case.id if case.open_support_case else _NOTHING
        return c.DecideSupportCase(opened, decision, message, amount(refund) if refund else None)

    return Step(hours_ago, SOL, command)


def _pending(case: Case) -> UUID:
    """The request that was asked last and waits."""
    waiting = case.pending()
    return waiting[-1].id if waiting else _NOTHING


_STARTS = c.SubmitRequirements()
_CONTENT = c.AcceptDelivery()

_OPEN = (
    Story("DEMO-1001", "Logo for a neighbourhood bakery", "180.00 USD", ADA, FARID, 5, 5),
    Story(
        "DEMO-1002",
        "Product photos of twelve ceramic mugs",
        "240.00 EUR",
        BELA,
        GITA,
        7,
        2 * DAY,
        (_does(46, BELA, _STARTS),),
    ),
    Story(
        "DEMO-1003",
        "Landing page for a yoga studio",
        "420.00 USD",
        ADA,
        FARID,
        6,
        8 * DAY,
        (
            _does(7.8 * DAY, ADA, _STARTS),
            _does(
                2.2 * DAY,
                FARID,
                c.DeliverOrder("The page is online for you to try; the booking form still needs your mail address."),
            ),
            _does(
                30,
                ADA,
                c.RequestRevision(
                    "It looks lovely. The prices are last year's, and on my phone the menu covers the photo."
                ),
            ),
            _does(
                9,
                FARID,
                c.OfferPartialRefund(
                    amount("84.00 USD"),
                    "I can't fit the English version in before your opening. I would finish the rest today and give "
                    "this part back.",
                    "PARTIAL_DELIVERY",
                    "Underestimated the translation; would rather give a fifth back than lose the order.",
                ),
            ),
        ),
    ),
    Story(
        "DEMO-1004",
        "Voice-over for a museum audio guide",
        "310.00 EUR",
        ADA,
        GITA,
        10,
        4 * DAY,
        (
            _does(3.9 * DAY, ADA, _STARTS),
            _does(
                14,
                GITA,
                c.AskClientToCancel(
                    "UNABLE_TO_COMPLETE",
                    "I have lost my voice and the doctor says two weeks of silence. I am very sorry; you should not "
                    "have to wait for me.",
                ),
            ),
        ),
    ),
    Story(
        "DEMO-1005",
        "Translation of a cookbook, 60 pages",
        "950.00 USD",
        ADA,
        FARID,
        14,
        9 * DAY,
        (
            _does(8.8 * DAY, ADA, _STARTS),
            _does(
                20,
                ADA,
                c.AskFreelancerToCancel(
                    "The publisher has moved the book to next year, so the translation is not needed now.",
                    "EXPECTATIONS_NOT_MET",
                    "The sample chapter read like a machine's. I don't want to hurt him.",
                ),
            ),
        ),
    ),
    Story(
        "DEMO-1006",
        "Explainer video of 60 seconds",
        "52000 JPY",
        ADA,
        FARID,
        9,
        6 * DAY,
        (
            _does(5.9 * DAY, ADA, _STARTS),
            _does(45, ADA, c.RequestOrderUpdate("We show the video at a fair on Friday. Is the storyboard done?")),
        ),
    ),
    Story(
        "DEMO-1007",
        "Wedding invitation, letterpress",
        "135.500 KWD",
        BELA,
        FARID,
        5,
        4 * DAY,
        (
            _does(3.8 * DAY, BELA, _STARTS),
            _does(
                22,
                FARID,
                c.RequestDeliveryExtension(
                    3, "The cotton paper came with a crease; the new sheets arrive on Thursday."
                ),
            ),
        ),
    ),
    Story(
        "DEMO-1008",
        "Bookkeeping for the second quarter",
        "275.00 EUR",
        ADA,
        GITA,
        5,
        8 * DAY,
        (
            _does(7 * DAY, ADA, _STARTS),
            _does(70, ADA, c.RequestOrderUpdate("The tax office wants the numbers this week. How far are you?")),
        ),
    ),
    Story(
        "DEMO-1009",
        "Jingle for a podcast",
        "90.00 USD",
        ADA,
        FARID,
        4,
        7 * DAY,
        (
            _does(6.8 * DAY, ADA, _STARTS),
            _does(
                71, FARID, c.DeliverOrder("Three versions: with guitar, with piano, and one that fades under speech.")
            ),
        ),
    ),
    Story(
        "DEMO-1010",
        "Map of hiking trails for a hostel",
        "160.00 EUR",
        ADA,
        FARID,
        8,
        10 * DAY,
        (
            _does(9.5 * DAY, ADA, _STARTS),
            _does(3 * DAY, FARID, c.DeliverOrder("All nine trails, with heights and the two shelters.")),
            _does(
                2.5 * DAY,
                ADA,
                c.RequestRevision("Trail 4 ends at the old bridge, which is closed. Could it end at the chapel?"),
            ),
        ),
    ),
    Story(
        "DEMO-1011",
        "Menu card in two languages",
        "75.00 EUR",
        BELA,
        FARID,
        3,
        5 * DAY,
        (
            _does(4.9 * DAY, BELA, _STARTS),
            _does(
                10,
                FARID,
                c.DeliverOrder("Print file and a version for phones. I took the liberty of mending two typos."),
            ),
        ),
    ),
    Story(
        "DEMO-1012",
        "Shelf labels for a farm shop",
        "60.00 EUR",
        BELA,
        GITA,
        4,
        6 * DAY,
        (
            _does(5.8 * DAY, BELA, _STARTS),
            _does(
                2 * DAY,
                BELA,
                c.ContactSupport(
                    "Gita says that the labels were sent, and I never got them. We both wrote three times and are "
                    "stuck.",
                ),
            ),
        ),
    ),
    Story(
        "DEMO-1013",
        "Spreadsheet that plans shifts",
        "200.00 USD",
        ADA,
        GITA,
        10,
        9 * DAY,
        (
            _does(8.9 * DAY, ADA, _STARTS),
            _does(6 * DAY, GITA, c.ContactSupport("The client asks for a phone app now. My offer says spreadsheet.")),
            _decides(
                5 * DAY,
                SupportDecision.CONTINUE_ORDER,
                "The order is a spreadsheet, as the offer says. Gita goes on with it; the days at support are added "
                "to the due date.",
            ),
        ),
    ),
)

_ENDED = (
    Story(
        "DEMO-1014",
        "Website texts for a bicycle shop",
        "340.00 EUR",
        ADA,
        FARID,
        7,
        30 * DAY,
        (
            _does(29.8 * DAY, ADA, _STARTS),
            _does(
                24 * DAY,
                FARID,
                c.DeliverOrder("Five pages; the sixth, about repairs, is missing the prices that only you know."),
            ),
            _does(
                23.5 * DAY,
                FARID,
                c.OfferPartialRefund(
                    amount("50.00 EUR"),
                    "For the page about repairs, which you now write yourselves.",
                    "PARTIAL_DELIVERY",
                ),
            ),
            _accepts(23 * DAY, ADA),
            _does(22.9 * DAY, ADA, _CONTENT),
        ),
    ),
    Story(
        "DEMO-1015",
        "Crest for a chess club",
        "110.00 USD",
        BELA,
        FARID,
        5,
        26 * DAY,
        (
            _does(25.8 * DAY, BELA, _STARTS),
            _does(
                24 * DAY,
                FARID,
                c.AskClientToCancel(
                    "MISSING_REQUIREMENTS", "I asked twice for the old crest and can't begin without it."
                ),
            ),
            _accepts(23.5 * DAY, BELA),
        ),
    ),
    Story(
        "DEMO-1016",
        "Lettering for a van",
        "220.00 USD",
        ADA,
        GITA,
        4,
        20 * DAY,
        ((_does(19.9 * DAY, ADA, _STARTS)), _does(14 * DAY, ADA, c.CancelOrder())),
    ),
    Story(
        "DEMO-1017",
        "Poster for a flea market",
        "70.00 EUR",
        BELA,
        FARID,
        3,
        12 * DAY,
        (_does(11.5 * DAY, BELA, c.CancelOrder()),),
    ),
    Story(
        "DEMO-1018",
        "Portraits of a team of eight",
        "640.00 EUR",
        BELA,
        GITA,
        10,
        40 * DAY,
        (
            _does(39.8 * DAY, BELA, _STARTS),
            _does(
                33 * DAY,
                GITA,
                c.RequestDeliveryExtension(4, "Two of your people were ill on the day; I come again on Monday."),
            ),
            _accepts(32.5 * DAY, BELA),
            _does(27 * DAY, GITA, c.DeliverOrder("All eight, in colour and in black and white.")),
            _does(26 * DAY, BELA, c.RequestRevision("Could the background be the same grey on all of them?")),
            _does(25 * DAY, GITA, c.DeliverOrder("The same grey now, and two of the portraits are a little brighter.")),
            _does(24.5 * DAY, BELA, _CONTENT),
        ),
    ),
    Story(
        "DEMO-1019",
        "Menu for a summer party",
        "95.00 USD",
        BELA,
        GITA,
        3,
        18 * DAY,
        (
            _does(17.8 * DAY, BELA, _STARTS),
            _does(
                16 * DAY,
                BELA,
                c.AskFreelancerToCancel(
                    "The party is off: it rains all week.",
                    "NO_LONGER_NEEDED",
                ),
            ),
            _accepts(15.5 * DAY, GITA),
        ),
    ),
    Story(
        "DEMO-1020",
        "Floor plan of a co-working space",
        "130.00 USD",
        ADA,
        FARID,
        5,
        16 * DAY,
        (
            _does(15.8 * DAY, ADA, _STARTS),
            _does(12 * DAY, ADA, c.RequestOrderUpdate("Do you need the heights of the rooms as well?")),
            _answers(11.5 * DAY, FARID, "Yes please, and the door by the kitchen: does it open inwards?"),
            _does(10 * DAY, FARID, c.DeliverOrder("Both floors, to scale, with the heights.")),
            _does(
                9 * DAY, ADA, c.ContactSupport("The kitchen is mirrored, and the printer has used the plan already.")
            ),
            _decides(
                8 * DAY,
                SupportDecision.REFUND_PARTIALLY,
                "The kitchen is mirrored. Ada gets the cost of the print back; Farid has corrected the file meanwhile.",
                "35.00 USD",
            ),
            _does(7.5 * DAY, ADA, _CONTENT),
        ),
    ),
)


def _smooth(
    number: int, title: str, price: str, client: Person, freelancer: Person, days_ago: float, delivered: str
) -> Story:
    """An order without trouble: four days from its placing to its end."""
    placed = days_ago * DAY
    steps = (
        _does(placed - 2, client, _STARTS),
        _does(placed - 2.5 * DAY, freelancer, c.DeliverOrder(delivered)),
        _does(placed - 4 * DAY, client, _CONTENT),
    )
    return Story(f"DEMO-{number}", title, price, client, freelancer, 5, placed, steps)


_SMOOTH = (
    _smooth(
        1021,
        "Business cards for a vet",
        "45.00 EUR",
        ADA,
        FARID,
        52,
        "Front, back, and a version with the emergency number.",
    ),
    _smooth(1022, "Icon set for a recipe app", "320.00 USD", BELA, FARID, 50, "48 icons, in two weights."),
    _smooth(1023, "Subtitles for a lecture", "85.00 USD", ADA, FARID, 47, "With speaker names; 41 minutes."),
    _smooth(1024, "Label for a honey jar", "120.00 EUR", BELA, FARID, 44, "For the large and the small jar."),
    _smooth(1025, "Newsletter template", "150.00 USD", ADA, FARID, 37, "Tried in nine mail programs."),
    _smooth(1026, "Banner for a library", "60.00 EUR", BELA, FARID, 34, "For the web and for print."),
    _smooth(1027, "Proofreading of a thesis", "410.00 EUR", ADA, FARID, 21, "214 remarks, most of them commas."),
    _smooth(1028, "Retouched photos of a kitchen", "75.00 USD", BELA, GITA, 49, "Ten photos, upright lines."),
    _smooth(
        1029,
        "Tax table for a small firm",
        "190.00 EUR",
        ADA,
        GITA,
        41,
        "With the formulas explained on the second sheet.",
    ),
    _smooth(1030, "Recording of a short story", "260.00 USD", BELA, GITA, 31, "23 minutes, with and without music."),
    _smooth(1031, "Photos of a market stall", "140.00 EUR", ADA, GITA, 23, "Thirty photos, five of them retouched."),
)

STORIES = _OPEN + _ENDED + _SMOOTH
"""Farid completed nine of the ten orders that count for him, Gita five of seven."""
