// Orders as rows, with what makes one need attention: used by every list of orders.
import { Link } from "react-router";
import type { OrderRowFragment } from "../generated/graphql";
import { day, money } from "../format";
import { Icon } from "../parts/icons";
import { Countdown, OrderMark } from "../parts/marks";
import { REQUEST_KIND } from "../words";

export function pathTo(order: { id: string }): string {
  return `/orders/${encodeURIComponent(order.id)}`;
}

export function OrderRow({ order }: { order: OrderRowFragment }) {
  const pending = order.resolutionCenter.pendingRequests.filter((request) => request.status === "PENDING");
  const [next] = pending;
  const mine = pending.find((request) => request.requestedByRole !== order.viewerRole);
  const isParty = order.viewerRole === "CLIENT" || order.viewerRole === "FREELANCER";
  const stopped = order.supportCase?.status === "OPEN" ? order.supportCase.openedAt : null;
  return (
    <li className="order-row" data-reference={order.reference}>
      <Link to={pathTo(order)} className="order-row-link">
        <span className="order-row-title">{order.title}</span>
        <span className="order-row-meta">
          {order.reference} · {people(order)}
        </span>
      </Link>
      <span className="order-row-marks">
        {isParty && mine && <span className="mark mark-attention">Waits for you</span>}
        {order.isLate && <span className="mark mark-late">Late</span>}
        {stopped && <span className="mark mark-support">At support</span>}
        <OrderMark status={order.status} />
      </span>
      <span className="order-row-next">
        {next ? (
          <>
            {REQUEST_KIND[next.kind]}: <Countdown until={next.respondBy} stoppedSince={stopped} />
          </>
        ) : (
          due(order)
        )}
      </span>
      <span className="order-row-price number">{money(order.price)}</span>
      <Icon name="right" />
    </li>
  );
}

function people(order: OrderRowFragment): string {
  if (order.viewerRole === "CLIENT") return `from ${order.freelancer.name}`;
  if (order.viewerRole === "FREELANCER") return `for ${order.client.name}`;
  return `${order.freelancer.name} for ${order.client.name}`;
}

function due(order: OrderRowFragment): string {
  if (order.status === "DELIVERED" && order.autoCompletesAt) return `Completes by itself ${day(order.autoCompletesAt)}`;
  if (order.deliveryDueAt && order.status !== "COMPLETED" && order.status !== "CANCELLED")
    return `Due ${day(order.deliveryDueAt)}`;
  return `Placed ${day(order.createdAt)}`;
}

const BONES = Array.from({ length: 8 }, (_, number) => number);

export function ListBones() {
  return (
    <ul className="rows" aria-hidden="true">
      {BONES.map((number) => (
        <li key={number} className="order-row bones">
          <span className="bone bone-title" />
          <span className="bone" />
        </li>
      ))}
    </ul>
  );
}
