"""The page's list of actions as a client reads it: what silence would do is said before anything is asked."""

from pathlib import Path
from typing import Any

from tests.service import Service, a_service

ACTIONS = """query($id: ID!) { order(id: $id) { resolutionCenter {
    actions { action available respondWithinSeconds onDeadline } } } }"""
POLICY = """
[requests.PARTIAL_REFUND]
window_hours = 12.5
silence = "ACCEPT"

[order]
auto_complete_hours = 24
"""
HOUR = 3_600


async def actions(service: Service, subject: str, order_id: str) -> dict[str, tuple[bool, int | None, str | None]]:
    """Of each action of somebody's role: whether it is available, the seconds to answer it, what silence does."""
    data: dict[str, Any] = await service.ask(subject, ACTIONS, id=order_id)
    return {
        found["action"]: (found["available"], found["respondWithinSeconds"], found["onDeadline"])
        for found in data["order"]["resolutionCenter"]["actions"]
    }


async def test_each_action_says_how_long_the_other_side_has_and_what_its_silence_does(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        assert await actions(service, "farid", order_id) == {
            "DELIVER_ORDER": (True, 72 * HOUR, "ACCEPT"),
            "OFFER_PARTIAL_REFUND": (True, 48 * HOUR, "EXPIRE"),
            "ASK_CLIENT_TO_CANCEL": (True, 48 * HOUR, "ACCEPT"),
            "ANSWER_ORDER_UPDATE": (False, None, None),
            "REQUEST_DELIVERY_EXTENSION": (True, 96 * HOUR, "EXPIRE"),
            "ACCEPT_REQUEST": (False, None, None),
            "DECLINE_REQUEST": (False, None, None),
            "WITHDRAW_REQUEST": (False, None, None),
            "CONTACT_SUPPORT": (True, None, None),
        }


async def test_it_is_the_operator_s_policy_for_a_blocked_action_too(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    async with a_service(tmp_path, RESOLUTION_POLICY_FILE=str(tmp_path / "policy.toml")) as service:
        order_id = await service.started()
        await service.offer(order_id)
        found = await actions(service, "farid", order_id)
        assert found["OFFER_PARTIAL_REFUND"] == (False, 45_000, "ACCEPT")
        assert found["DELIVER_ORDER"] == (True, 24 * HOUR, "ACCEPT")
