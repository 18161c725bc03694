"""Random plays for hypothesis: who says what after how long, under which policy."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from rules import commands as c
from rules.policy import DEFAULT, Policy
from rules.vocabulary import OnDeadline, RequestKind, Role, SupportDecision
from tests.world import (
    Story,
    a_call_for_support,
    a_placed_order,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    an_extension,
    an_offer,
)

Line = c.PartyCommand | SupportDecision | type[c.AcceptRequest | c.DeclineRequest | c.WithdrawRequest]
"""A command, or what is said to the request or support case that was opened last."""
Steps = list[tuple[float, tuple[Role, Line]]]


def with_silence(kind: RequestKind, silence: OnDeadline) -> Policy:
    """The default policy, but for what silence does to one kind."""
    kinds = dict(DEFAULT.kinds)
    kinds[kind] = replace(kinds[kind], silence=silence)
    return replace(DEFAULT, kinds=kinds)


LINES: list[tuple[Role, Line]] = [
    (Role.CLIENT, c.SubmitRequirements()),
    (Role.FREELANCER, c.DeliverOrder("Here.")),
    (Role.CLIENT, c.RequestRevision("Warmer.")),
    (Role.CLIENT, c.AcceptDelivery()),
    (Role.CLIENT, c.CancelOrder()),
    (Role.FREELANCER, an_offer()),
    (Role.FREELANCER, a_plea_to_the_client()),
    (Role.CLIENT, a_plea_to_the_freelancer()),
    (Role.CLIENT, a_question()),
    (Role.FREELANCER, an_extension()),
    (Role.CLIENT, an_extension()),
    (Role.CLIENT, c.DeclineRequest),
    (Role.FREELANCER, c.DeclineRequest),
    (Role.CLIENT, c.AcceptRequest),
    (Role.FREELANCER, c.AcceptRequest),
    (Role.CLIENT, c.WithdrawRequest),
    (Role.FREELANCER, c.WithdrawRequest),
    (Role.CLIENT, a_call_for_support()),
    (Role.FREELANCER, a_call_for_support()),
    (Role.SUPPORT, SupportDecision.CONTINUE_ORDER),
    (Role.SUPPORT, SupportDecision.REFUND_PARTIALLY),
    (Role.SUPPORT, SupportDecision.CANCEL_ORDER),
]
GAPS = st.sampled_from([0.0, 0.0, 1.0, 4.0, 20.0, 24.0, 28.0, 48.0, 72.0, 100.0])
STEPS: st.SearchStrategy[Steps] = st.lists(st.tuples(GAPS, st.sampled_from(LINES)), max_size=12)
NAMED_POLICIES = {
    "default": DEFAULT,
    "unanswered questions go to support": with_silence(RequestKind.ORDER_UPDATE, OnDeadline.ESCALATE),
    "silence accepts an offer": with_silence(RequestKind.PARTIAL_REFUND, OnDeadline.ACCEPT),
    "silence keeps the order": with_silence(RequestKind.CANCELLATION, OnDeadline.EXPIRE),
    "no reminders": replace(DEFAULT, reminders=()),
}
POLICIES = st.sampled_from(list(NAMED_POLICIES.values()))


def play(steps: Steps, policy: Policy) -> Story:
    """The story of an order that starts at once, so that most lines find something to act on."""
    story = a_placed_order(policy=policy)
    for gap, (role, line) in [(0.0, LINES[0]), *steps]:
        story.wait(story.now + timedelta(hours=gap))
        say(story, role, line)
    return story


def say(story: Story, role: Role, line: Line) -> None:
    """Refused or not; nothing when there is nothing yet to say it to."""
    if isinstance(line, SupportDecision):
        if story.case.support_cases:
            refund = "10 USD" if line is SupportDecision.REFUND_PARTIALLY else None
            story.play(story.actor(role), story.a_decision(line, refund))
    elif isinstance(line, type):
        if story.case.requests:
            story.play(story.actor(role), line(story.request.id))
    else:
        story.play(story.actor(role), line)
