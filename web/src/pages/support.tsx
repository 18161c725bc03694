// Support desk: the open cases, one order with both sides' reasons, and the decision with its message.
import { useApolloClient, useQuery } from "@apollo/client/react";
import { useCallback, useEffect, useRef, useState, type SyntheticEvent } from "react";
import { NavLink, useParams } from "react-router";
import { Intention } from "../client/keys";
import {
  DecideSupportCaseDocument,
  SupportCasesDocument,
  SupportOrderDocument,
  type RequestPartsFragment,
  type SupportDecision,
  type SupportOrderQuery,
  type UserErrorPartsFragment,
} from "../generated/graphql";
import { digitsOf, money } from "../format";
import { listOf, PAGE, useEndless, useFresh, useSeen } from "../live/lists";
import { useLive } from "../live/live";
import { Amount, Button, Choices, Words, type Choice } from "../parts/controls";
import { Ago, Instant, OrderMark, RequestMark } from "../parts/marks";
import { notices } from "../parts/notices";
import { Page } from "../parts/page";
import { asked, DECISION, ROLE } from "../words";
import { ListBones } from "./order-list";
import { RequestWords } from "./order/center";
import { Timeline } from "./order/timeline";

type Status = "OPEN" | "RESOLVED";

const CASES = listOf(
  SupportCasesDocument,
  (data) => data.supportCases,
  (data, supportCases) => ({ ...data, supportCases: { ...data.supportCases, ...supportCases } }) as typeof data,
);

export function SupportDesk() {
  const { isSupport } = useLive();
  const { id } = useParams();
  const [status, setStatus] = useState<Status>("OPEN");
  const list = useEndless(CASES, { first: PAGE, status });
  const end = useSeen(list.readOn);
  if (!isSupport) {
    return (
      <Page title="Support desk" lead="Only support works here.">
        <span />
      </Page>
    );
  }
  const [first] = list.nodes ?? [];
  const chosen = id ?? first?.order.id;
  return (
    <Page title="Support desk" lead="While a case is open, no deadline of its order runs." wide>
      <div className="desk">
        <section className="desk-list" aria-label="Cases">
          <Choices<Status>
            label="Which cases"
            hideLabel
            choices={[
              { id: "OPEN", label: "Open, the oldest first" },
              { id: "RESOLVED", label: "Decided" },
            ]}
            value={status}
            onChange={setStatus}
          />
          {list.nodes === null && <ListBones />}
          {list.nodes?.length === 0 && (
            <p className="empty">{status === "OPEN" ? "No case is open. All is quiet." : "Nothing was decided yet."}</p>
          )}
          <ul className="cases">
            {list.nodes?.map((found) => (
              <li key={found.id}>
                <NavLink
                  to={`/support/${encodeURIComponent(found.order.id)}`}
                  className={`case${found.order.id === chosen ? " case-chosen" : ""}`}
                  aria-current={found.order.id === chosen ? "true" : undefined}
                >
                  <span className="case-title">{found.order.title}</span>
                  <span className="case-meta">
                    {found.openedByRole === "SYSTEM" ? "A deadline" : `${found.openedBy.name}, ${ROLE[found.openedByRole]}`} · <Ago at={found.openedAt} />
                  </span>
                  <span className="case-message">{found.message}</span>
                </NavLink>
              </li>
            ))}
          </ul>
          {list.hasMore && (
            <div className="more" ref={end}>
              <Button onPress={list.readOn}>Show more</Button>
            </div>
          )}
        </section>
        {chosen ? <Case key={chosen} orderId={chosen} /> : <div />}
      </div>
    </Page>
  );
}

type Order = NonNullable<SupportOrderQuery["order"]>;

function Case({ orderId }: { orderId: string }) {
  const { data, previousData, refetch } = useQuery(SupportOrderDocument, {
    variables: { id: orderId },
    fetchPolicy: "cache-and-network",
    refetchWritePolicy: "merge", // earlier events that were read stay
    nextFetchPolicy: "cache-first",
  });
  const read = useCallback(() => refetch(), [refetch]);
  useFresh(read, orderId);
  const order = (data ?? previousData)?.order;
  if (!order) return <div className="desk-case" aria-busy="true" />;
  const found = order.supportCase;
  return (
    <article className="desk-case" aria-label={order.title}>
      <header className="desk-head">
        <p className="order-reference">{order.reference}</p>
        <h2>{order.title}</h2>
        <p className="order-marks">
          <OrderMark status={order.status} />
          {order.isLate && <span className="mark mark-late">Late</span>}
          <span>
            {order.client.name} ordered from {order.freelancer.name} for {money(order.price)}
            {Number(order.refunded.amount) > 0 && `; ${money(order.refunded)} went back`}
          </span>
        </p>
      </header>
      {found && (
        <section className="support-note" aria-label="The case">
          <h3>
            {found.openedByRole === "SYSTEM" ? "A deadline brought it here" : `${found.openedBy.name} wrote`} <Instant at={found.openedAt} />
          </h3>
          <blockquote>{found.message}</blockquote>
          {found.decision && (
            <>
              <h3>Decided: {DECISION[found.decision].toLowerCase()}</h3>
              <blockquote>{found.decisionMessage}</blockquote>
            </>
          )}
        </section>
      )}
      {found?.status === "OPEN" && <Decide order={order} caseId={found.id} />}
      <Sides order={order} />
      <Timeline order={order} events={order.events.nodes} />
    </article>
  );
}

/** What each side asked, with the reasons that only support may see beside each other. */
function Sides({ order }: { order: Order }) {
  const requests = order.resolutionCenter.requests.nodes;
  if (requests.length === 0) return null;
  const side = (name: string, role: "CLIENT" | "FREELANCER") => (
    <section aria-label={`Asked by ${name}`}>
      <h3>
        {name} <span className="side-role">{ROLE[role]}</span>
      </h3>
      {requests.filter((request) => request.requestedByRole === role).map((request) => <Asked key={request.id} request={request} />)}
      {!requests.some((request) => request.requestedByRole === role) && <p className="empty">Asked nothing.</p>}
    </section>
  );
  return (
    <div className="sides">
      {side(order.client.name, "CLIENT")}
      {side(order.freelancer.name, "FREELANCER")}
    </div>
  );
}

function Asked({ request }: { request: RequestPartsFragment }) {
  return (
    <div className="side-request">
      <p className="side-asked">
        {asked(request, request.requestedBy.name)} <RequestMark status={request.status} />
      </p>
      <RequestWords request={request} />
    </div>
  );
}

const DECISIONS: Choice<SupportDecision>[] = [
  { id: "CONTINUE_ORDER", label: "The order goes on", hint: "Each deadline moves by the time at support." },
  { id: "REFUND_PARTIALLY", label: "Refund a part", hint: "Part of the price goes back, and the order goes on." },
  { id: "CANCEL_ORDER", label: "Cancel the order", hint: "What was not refunded yet goes back." },
  { id: "COMPLETE_ORDER", label: "Complete the order", hint: "What was not refunded is the freelancer's." },
];

function Decide({ order, caseId }: { order: Order; caseId: string }) {
  const apollo = useApolloClient();
  const [decision, setDecision] = useState<SupportDecision | null>(null);
  const [message, setMessage] = useState("");
  const [amount, setAmount] = useState(Number.NaN);
  const [errors, setErrors] = useState<UserErrorPartsFragment[]>([]);
  const [tried, setTried] = useState(false);
  const [sending, setSending] = useState(false);
  const [trouble, setTrouble] = useState(false);
  const [intention] = useState(() => new Intention());
  const form = useRef<HTMLFormElement>(null);
  const digits = digitsOf(order.price.amount);
  const needsAmount = decision === "REFUND_PARTIALLY";
  const missing = decision === null || message.trim() === "" || (needsAmount && Number.isNaN(amount));
  const errorOf = (name: string, isMissing: boolean, words: string) =>
    errors.find((error) => error.path?.[0] === name)?.message ?? (tried && isMissing ? words : undefined);

  useEffect(() => {
    if (tried || errors.length > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid] .select")?.focus();
  }, [tried, errors]);

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    setTried(true);
    if (missing || sending) return;
    setSending(true);
    setErrors([]);
    setTrouble(false);
    const refund = needsAmount ? { amount: amount.toFixed(digits), currencyCode: order.price.currencyCode } : null;
    const input = { caseId, decision, message, refund };
    try {
      const { data } = await apollo.mutate({
        mutation: DecideSupportCaseDocument,
        variables: { input: { ...input, idempotencyKey: intention.keyFor(input) } },
      });
      const refused = data?.decideSupportCase.userErrors ?? [];
      setErrors(refused);
      if (refused.length === 0) {
        intention.done();
        notices.tell({ text: `Decided: ${DECISION[decision].toLowerCase()}. Both sides see it now.`, tone: "done" });
      }
    } catch {
      setTrouble(true);
    } finally {
      setSending(false);
    }
  };

  const elsewhere = errors.filter((error) => !["decision", "message", "refund"].includes(error.path?.[0] ?? ""));
  return (
    <form className="form decide" ref={form} noValidate aria-label="Decide" onSubmit={(event) => void submit(event)}>
      <Choices
        label="Decision"
        choices={DECISIONS}
        value={decision}
        onChange={setDecision}
        error={errorOf("decision", decision === null, "Choose what becomes of the order.")}
      />
      {needsAmount && (
        <Amount
          label="Goes back to the client"
          value={amount}
          onChange={setAmount}
          currency={order.price.currencyCode}
          digits={digits}
          error={errorOf("refund", Number.isNaN(amount), "Say how much.")}
        />
      )}
      <Words
        name="message"
        label="Why"
        value={message}
        onChange={setMessage}
        required
        hint={`${order.client.name} and ${order.freelancer.name} will both read this.`}
        error={errorOf("message", message.trim() === "", "Both sides should read why.")}
      />
      {elsewhere.map((error) => (
        <p className="refusal" role="alert" key={error.code}>
          {error.message}
        </p>
      ))}
      {trouble && (
        <p className="refusal" role="alert">
          The answer got lost on the way. Send it again: nothing is done twice.
        </p>
      )}
      <div className="buttons">
        <Button type="submit" tone="main" isBusy={sending}>
          {sending ? "Sending …" : "Decide"}
        </Button>
      </div>
    </form>
  );
}
