// An order: its facts and its story, with the Resolution Center on the right side.
import { useQuery } from "@apollo/client/react";
import { useCallback, useMemo, useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { OrderByIdDocument, type OrderPageFragment, type ResolutionAction } from "../../generated/graphql";
import { money, percent } from "../../format";
import { useFresh } from "../../live/lists";
import { useAt } from "../../live/time";
import { Button } from "../../parts/controls";
import { Countdown, Instant, OrderMark } from "../../parts/marks";
import { useHeadingFocus, useTitle } from "../../parts/page";
import { DECISION, VISIBILITY } from "../../words";
import { STEPS } from "./actions";
import { Option, ResolutionCenter } from "./center";
import { Timeline } from "./timeline";

export function OrderPage() {
  const { id = "" } = useParams();
  return <OneOrder key={id} id={id} />;
}

function OneOrder({ id }: { id: string }) {
  const { data, previousData, error, refetch } = useQuery(OrderByIdDocument, {
    variables: { id },
    fetchPolicy: "cache-and-network",
    refetchWritePolicy: "merge", // earlier events that were read stay
    nextFetchPolicy: "cache-first",
  });
  const read = useCallback(() => refetch(), [refetch]);
  useFresh(read, id);
  const shown = data ?? previousData;
  const order = shown?.order;
  useAt(useNextDeadline(order ?? null), readSoon);
  useTitle(order?.title ?? "Order");
  const heading = useHeadingFocus();

  // A deadline is the server's to apply. It comes as an event too: this is for a connection that is lost just then.
  function readSoon() {
    setTimeout(() => void refetch().catch(() => undefined), 1_000);
  }

  if (shown && !order) return <Missing />;
  if (!order) return error ? <Missing trouble /> : <OrderBones />;
  return (
    <div className="page page-order">
      <header className="order-head">
        <p className="order-reference">{order.reference}</p>
        <h1 ref={heading} tabIndex={-1}>
          {order.title}
        </h1>
        <p className="order-marks">
          <OrderMark status={order.status} />
          {order.isLate && <span className="mark mark-late">Late</span>}
          <span className="order-people">{people(order)}</span>
        </p>
        <Facts order={order} />
      </header>
      <ResolutionCenter order={order} />
      <div className="order-main">
        <NextStep order={order} />
        <SupportDecided order={order} />
        <Timeline order={order} events={order.events.nodes} />
      </div>
    </div>
  );
}

function people(order: OrderPageFragment): string {
  if (order.viewerRole === "CLIENT") return `from ${order.freelancer.name}`;
  if (order.viewerRole === "FREELANCER") return `for ${order.client.name}`;
  return `${order.freelancer.name} for ${order.client.name}`;
}

function useNextDeadline(order: OrderPageFragment | null): number | null {
  return useMemo(() => {
    if (!order) return null;
    const instants = order.resolutionCenter.pendingRequests.map((request) => Date.parse(request.respondBy));
    if (order.autoCompletesAt) instants.push(Date.parse(order.autoCompletesAt));
    return instants.length > 0 ? Math.min(...instants) : null;
  }, [order]);
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ order }: { order: OrderPageFragment }) {
  const { standing } = order.freelancer;
  const stopped = order.supportCase?.status === "OPEN" ? order.supportCase.openedAt : null;
  return (
    <dl className="facts">
      <Fact name="Price">{money(order.price)}</Fact>
      {Number(order.refunded.amount) > 0 && <Fact name="Went back">{money(order.refunded)}</Fact>}
      <Fact name="Placed">
        <Instant at={order.createdAt} />
      </Fact>
      {order.deliveryDueAt && (
        <Fact name="Delivery due">
          <Instant at={order.deliveryDueAt} />
        </Fact>
      )}
      {order.completedAt && (
        <Fact name="Completed">
          <Instant at={order.completedAt} />
        </Fact>
      )}
      {order.cancelledAt && (
        <Fact name="Cancelled">
          <Instant at={order.cancelledAt} />
        </Fact>
      )}
      {order.status === "DELIVERED" && order.autoCompletesAt && (
        <Fact name="Completes by silence">
          <Countdown until={order.autoCompletesAt} stoppedSince={stopped} words={(left) => `in ${left}`} />
        </Fact>
      )}
      {standing.completionRate !== null && (
        <Fact name={order.viewerRole === "FREELANCER" ? "Your completion rate" : `${order.freelancer.name}'s completion rate`}>
          <span title={`Over ${String(standing.windowDays)} days; ${VISIBILITY[standing.searchVisibility]}`}>
            {percent(standing.completionRate)}
          </span>
        </Fact>
      )}
    </dl>
  );
}

/** What the order itself needs from the viewer: requirements, a delivery, an answer to one. */
function NextStep({ order }: { order: OrderPageFragment }) {
  const [open, setOpen] = useState<ResolutionAction | null>(null);
  const steps = order.resolutionCenter.actions.filter(({ action, available }) => STEPS.includes(action) && available);
  const opened = open && order.resolutionCenter.actions.find(({ action }) => action === open);
  if (steps.length === 0 && !opened) return null;
  return (
    <section className="steps" aria-label="Next step">
      {steps.map((action) => (
        <Option
          key={action.action}
          order={order}
          action={action}
          isOpen={open === action.action}
          onOpen={() => {
            setOpen(action.action);
          }}
          onClose={() => {
            setOpen(null);
          }}
        />
      ))}
    </section>
  );
}

function SupportDecided({ order }: { order: OrderPageFragment }) {
  const found = order.supportCase;
  if (!found) return null;
  return (
    <section className="support-note" aria-label="Support">
      <h2>{found.decision ? `Support decided: ${DECISION[found.decision].toLowerCase()}` : "Support has this order"}</h2>
      {found.decisionMessage ? (
        <blockquote>{found.decisionMessage}</blockquote>
      ) : (
        <blockquote>{found.message}</blockquote>
      )}
      {!found.decisionMessage && (
        <p>
          {found.openedByRole === "SYSTEM" ? "A deadline brought support in" : `${found.openedBy.name} contacted support`}{" "}
          <Instant at={found.openedAt} />. No deadline runs until support has decided.
        </p>
      )}
      {order.viewerRole === "SUPPORT" && found.status === "OPEN" && (
        <Link to={`/support/${encodeURIComponent(order.id)}`}>Decide at the support desk</Link>
      )}
    </section>
  );
}

function Missing({ trouble = false }: { trouble?: boolean }) {
  useTitle("Order");
  return (
    <div className="page">
      <header className="page-head">
        <h1 tabIndex={-1}>{trouble ? "This order can't be read at the moment" : "There is no such order"}</h1>
        <p className="lead">{trouble ? "The connection may be back in a moment." : "Or you may not see it."}</p>
      </header>
      {trouble && (
        <Button
          onPress={() => {
            location.reload();
          }}
        >
          Try again
        </Button>
      )}
    </div>
  );
}

function OrderBones() {
  return (
    <div className="page page-order" aria-busy="true">
      <header className="order-head">
        <p className="order-reference">
          <span className="bone" />
        </p>
        <h1 className="bones">
          <span className="bone bone-title" />
        </h1>
        <div className="facts facts-bones" />
      </header>
      <aside className="center center-bones" aria-hidden="true" />
      <div className="order-main" />
    </div>
  );
}
