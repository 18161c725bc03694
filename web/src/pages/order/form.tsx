// The form of one action: what it asks, what it will do, and what the server says to it.
import { skipToken, useApolloClient, useQuery } from "@apollo/client/react";
import { useCallback, useEffect, useMemo, useRef, useState, type SyntheticEvent } from "react";
import { Intention } from "../../client/keys";
import {
  OrderByIdDocument,
  PreviewDocument,
  type ActionPartsFragment,
  type OrderPageFragment,
  type PreviewPartsFragment,
  type UserErrorPartsFragment,
} from "../../generated/graphql";
import { digitsOf, money, percent, period, typedNumber } from "../../format";
import { notices } from "../../parts/notices";
import { Icon } from "../../parts/icons";
import { OPENS, silence } from "../../words";
import { Amount, Button, Choices, Days, Seen, Words } from "../../parts/controls";
import { EMPTY, SPECS, type Draft, type Field, type Target } from "./actions";

interface Given {
  order: OrderPageFragment;
  action: ActionPartsFragment;
  request?: { id: string; __typename: string };
  onDone: () => void;
  onCancel: () => void;
  onSent?: () => void;
}

export function otherSide(order: Pick<OrderPageFragment, "viewerRole" | "client" | "freelancer">): string {
  return order.viewerRole === "CLIENT" ? order.freelancer.name : order.client.name;
}

const LOST = "The answer got lost on the way. Send it again: nothing is done twice.";

/** Sends an action with a key of its own, and keeps what is wrong with it. */
export function useSend(order: OrderPageFragment, action: ActionPartsFragment, request?: Given["request"]) {
  const apollo = useApolloClient();
  const [errors, setErrors] = useState<UserErrorPartsFragment[]>([]);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const [intention] = useState(() => new Intention());
  const spec = SPECS[action.action];
  const target: Target = useMemo(
    () => ({
      id: spec.on === "request" && request ? request.id : order.id,
      typename: request?.__typename ?? "Order",
      currency: order.price.currencyCode,
      digits: digitsOf(order.price.amount),
    }),
    [spec, request, order],
  );

  const send = async (draft: Draft): Promise<boolean> => {
    if (sending) return false;
    setSending(true);
    setErrors([]);
    setTrouble(null);
    try {
      const { userErrors } = await spec.send(apollo, draft, target, intention.keyFor([target.id, draft]));
      setErrors(userErrors);
      if (spec.isOptimistic) await apollo.refetchQueries({ include: [OrderByIdDocument] });
      if (userErrors.length > 0) {
        undone(userErrors[0]?.message);
        return false;
      }
      intention.done();
      return true;
    } catch {
      setTrouble(LOST);
      undone(LOST);
      return false;
    } finally {
      setSending(false);
    }
  };
  return { send, sending, errors, trouble };

  /** What showed as done already is back on the page by now: that needs a word. */
  function undone(why = "") {
    if (spec.isOptimistic) notices.tell({ text: `${spec.title}: not done. ${why}`, tone: "warning" });
  }
}

export function ActionForm({ order, action, request, onDone, onCancel }: Given) {
  const spec = SPECS[action.action];
  const other = otherSide(order);
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [typed, setTyped] = useState(Number.NaN);
  const [tried, setTried] = useState(false);
  const { send, sending, errors, trouble } = useSend(order, action, request);
  const form = useRef<HTMLFormElement>(null);
  const set = <Name extends keyof Draft>(name: Name, value: Draft[Name]) => {
    setDraft((held) => ({ ...held, [name]: value }));
  };
  const missing = spec.fields.filter((field) => isMissing(field, draft, action));

  useEffect(() => {
    form.current?.querySelector<HTMLElement>("input, textarea, .select")?.focus();
  }, []);
  useEffect(() => {
    const leave = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented) onCancel();
    };
    const held = form.current;
    held?.addEventListener("keydown", leave);
    return () => {
      held?.removeEventListener("keydown", leave);
    };
  }, [onCancel]);
  useEffect(() => {
    if (errors.length > 0 || (tried && missing.length > 0)) {
      form.current?.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid] .select")?.focus();
    }
    // Only when the server has answered or the person has tried: not at each letter.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [errors, tried]);

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    if (sending) return;
    if (missing.length > 0) {
      setTried(false);
      requestAnimationFrame(() => {
        setTried(true);
      });
      return;
    }
    if (await send(draft)) onDone();
  };

  const errorOf = (name: string, empty: string): string | undefined => {
    const said = errors.find((error) => error.path?.[0] === name);
    if (said) return said.message;
    return tried && missing.some((field) => nameOf(field) === name) ? empty : undefined;
  };
  const elsewhere = errors.filter((error) => !spec.fields.some((field) => nameOf(field) === error.path?.[0]));

  return (
    <form
      className="form"
      ref={form}
      aria-label={spec.title}
      noValidate
      onSubmit={(event) => void submit(event)}
    >
      {spec.advice && <p className="advice">{spec.advice}</p>}
      {spec.fields.map((field) => (
        <FormField
          key={nameOf(field)}
          field={field}
          draft={draft}
          set={set}
          action={action}
          order={order}
          other={other}
          error={errorOf(nameOf(field), emptyWords(field))}
          onTyped={setTyped}
        />
      ))}
      <Preview order={order} action={action} amount={Number.isNaN(typed) ? draft.amount : typed} />
      {!action.available && <p className="refusal" role="alert">{action.explanation}</p>}
      {elsewhere.map((error) => (
        <p className="refusal" role="alert" key={error.code}>
          {error.message}
        </p>
      ))}
      {trouble && (
        <p className="refusal" role="alert">
          {trouble}
        </p>
      )}
      <div className="buttons">
        <Button type="submit" tone={spec.tone ?? "main"} isBusy={sending} isDisabled={!action.available}>
          {sending ? "Sending …" : spec.verb}
        </Button>
        <Button tone="plain" onPress={onCancel}>
          Not now
        </Button>
      </div>
    </form>
  );
}

function nameOf(field: Field): string {
  return field.kind === "amount" || field.kind === "days" ? field.kind : field.name;
}

function needsText(field: Field, draft: Draft, action: ActionPartsFragment): boolean {
  if (field.kind !== "words") return true;
  if (field.required) return true;
  if (!field.belongsTo) return false;
  const chosen = draft[field.belongsTo];
  return action.reasons.find((reason) => reason.code === chosen)?.requiresText ?? false;
}

function isMissing(field: Field, draft: Draft, action: ActionPartsFragment): boolean {
  if (field.kind === "amount") return Number.isNaN(draft.amount);
  if (field.kind === "days") return Number.isNaN(draft.days);
  return needsText(field, draft, action) && draft[field.name].trim() === "";
}

function emptyWords(field: Field): string {
  if (field.kind === "amount") return "Say how much.";
  if (field.kind === "reason") return "Choose a reason.";
  return "Please write a few words.";
}

interface FieldGiven {
  field: Field;
  draft: Draft;
  set: <Name extends keyof Draft>(name: Name, value: Draft[Name]) => void;
  action: ActionPartsFragment;
  order: OrderPageFragment;
  other: string;
  error: string | undefined;
  onTyped: (amount: number) => void;
}

function FormField({ field, draft, set, action, order, other, error, onTyped }: FieldGiven) {
  switch (field.kind) {
    case "amount": {
      const most = action.maximumRefund;
      return (
        <Amount
          label={field.label}
          value={draft.amount}
          onChange={(value) => {
            set("amount", value);
            onTyped(Number.NaN);
          }}
          currency={order.price.currencyCode}
          digits={digitsOf(order.price.amount)}
          maximum={most ? Number(most.amount) : undefined}
          error={error}
          onTyped={(text) => {
            onTyped(typedNumber(text));
          }}
          {...(most ? { hint: `Up to ${money(most)} of the ${money(order.price)} that was agreed.` } : {})}
        />
      );
    }
    case "days":
      return (
        <Days
          label={field.label}
          value={draft.days}
          onChange={(value) => {
            set("days", value);
          }}
          error={error}
        />
      );
    case "reason":
      return (
        <Choices
          label={field.label}
          choices={action.reasons.map(({ code, label }) => ({ id: code, label }))}
          value={draft[field.name] || null}
          onChange={(value) => {
            set(field.name, value);
          }}
          error={error}
          seen={<Seen by={field.seen} other={other} />}
        />
      );
    case "words":
      return (
        <Words
          name={field.name}
          label={field.label}
          value={draft[field.name]}
          onChange={(value) => {
            set(field.name, value);
          }}
          required={needsText(field, draft, action)}
          error={error}
          seen={<Seen by={field.seen} other={other} />}
        />
      );
  }
}

// ---------------------------------------------------------------- what it will do

function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(value);
    }, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  }, [value, milliseconds]);
  return settled;
}

/** Money and rate as they will be, from the server: for an offer, of the amount that stands in the form. */
function Preview(given: { order: OrderPageFragment; action: ActionPartsFragment; amount: number }) {
  const { order, action } = given;
  const offers = action.action === "OFFER_PARTIAL_REFUND";
  const amount = useSettled(given.amount, 150);
  const wanted = offers && !Number.isNaN(amount) && amount > 0;
  const digits = digitsOf(order.price.amount);
  const refund = { amount: wanted ? amount.toFixed(digits) : "0", currencyCode: order.price.currencyCode };
  const { data, previousData } = useQuery(
    PreviewDocument,
    // Not kept: what is held of the actions must stay whole.
    wanted ? { variables: { id: order.id, refund }, fetchPolicy: "no-cache" } : skipToken,
  );
  const found = (data ?? previousData)?.order?.resolutionCenter.actions.find((one) => one.action === action.action);
  const preview = offers ? (wanted ? found?.preview : undefined) : action.preview;
  const figures = (offers || preview) && <PreviewFigures order={order} action={action} preview={preview ?? null} />;
  const silent = action.onDeadline !== null && <IfSilent order={order} action={action} />;
  if (!figures && !silent) return null;
  return (
    <div className="preview" data-testid="preview">
      {figures}
      {silent}
    </div>
  );
}

/** How long the other side will have, and what its silence will do, as the policy says it before anything is sent. */
function IfSilent({ order, action }: { order: OrderPageFragment; action: ActionPartsFragment }) {
  const opens = OPENS[action.action];
  if (!opens || action.onDeadline === null || action.respondWithinSeconds === null) return null;
  return (
    <p className="if-silent">
      <Icon name="clock" />
      <span>
        <strong>
          {otherSide(order)} has {period(action.respondWithinSeconds)} to answer.
        </strong>{" "}
        {silence(opens, action.onDeadline)}
        {order.supportCase?.status === "OPEN" && " That time starts when support has decided."}
      </span>
    </p>
  );
}

export function PreviewFigures(given: {
  order: OrderPageFragment;
  action: ActionPartsFragment;
  preview: PreviewPartsFragment | null;
}) {
  const { order, action, preview } = given;
  const isClient = order.viewerRole === "CLIENT";
  const atOnce = ["ACCEPT_REQUEST", "CANCEL_ORDER", "ACCEPT_DELIVERY"].includes(action.action);
  const heading = atOnce ? "What this does at once" : `What this does when ${otherSide(order)} accepts`;
  const rate = useCallback((share: number | null | undefined) => (share == null ? "–" : percent(share)), []);
  const [before, after] = [rate(preview?.completionRateBefore), rate(preview?.completionRateAfter)];
  return (
    <div className="preview-figures">
      <p className="preview-heading">{heading}</p>
      <dl>
        <div>
          <dt>{isClient ? "Back to you" : `Back to ${order.client.name}`}</dt>
          <dd>{preview ? money(preview.refund) : "–"}</dd>
        </div>
        <div>
          <dt>{isClient ? `Left for ${order.freelancer.name}` : "Left for you"}</dt>
          <dd>{preview ? money(preview.payout) : "–"}</dd>
        </div>
        <div>
          <dt>{isClient ? `${order.freelancer.name}'s completion rate` : "Your completion rate"}</dt>
          <dd>{!preview ? "–" : before === after ? `${after}, unchanged` : `${before} → ${after}`}</dd>
        </div>
      </dl>
    </div>
  );
}
