// The Resolution Center of an order: what waits, what can be done, and support; all of it drawn from `actions`.
import { useId, useState } from "react";
import { Button as AriaButton } from "react-aria-components";
import type { ActionPartsFragment, OrderPageFragment, RequestPartsFragment, ResolutionAction } from "../../generated/graphql";
import { Button } from "../../parts/controls";
import { Icon } from "../../parts/icons";
import { Countdown } from "../../parts/marks";
import { money } from "../../format";
import { asked, silence } from "../../words";
import { EMPTY, SPECS, STEPS, titleOf } from "./actions";
import { ActionForm, otherSide, PreviewFigures, useSend } from "./form";
import { notices } from "../../parts/notices";

type Request = RequestPartsFragment;

export function ResolutionCenter({ order }: { order: OrderPageFragment }) {
  const { actions, pendingRequests } = order.resolutionCenter;
  const [open, setOpen] = useState<ResolutionAction | null>(null);
  const heading = useId();
  const options = actions.filter(({ action }) => SPECS[action].on === "order" && !isStep(action) && !isSupport(action));
  const support = actions.find(({ action }) => isSupport(action));
  const pending = pendingRequests.filter((request) => request.status === "PENDING");
  const close = () => {
    setOpen(null);
  };
  return (
    <aside className="center" aria-labelledby={heading}>
      <header className="center-head">
        <h2 id={heading}>Resolution Center</h2>
        <p>{subtitle(order, pending.length)}</p>
      </header>
      {pending.map((request) => (
        <PendingRequest key={request.id} order={order} request={request} />
      ))}
      {options.length > 0 && (
        <section className="options" aria-label="Options">
          {options.map((action) => (
            <Option
              key={action.action}
              order={order}
              action={action}
              isOpen={open === action.action}
              onOpen={() => {
                setOpen(action.action);
              }}
              onClose={close}
            />
          ))}
        </section>
      )}
      {support && (
        <footer className="contact">
          <Option
            order={order}
            action={support}
            isOpen={open === support.action}
            onOpen={() => {
              setOpen(support.action);
            }}
            onClose={close}
          />
        </footer>
      )}
    </aside>
  );
}

function subtitle(order: OrderPageFragment, pending: number): string {
  if (order.supportCase?.status === "OPEN") return "Support has this order. No deadline runs meanwhile.";
  if (order.status === "COMPLETED" || order.status === "CANCELLED") return "The order has ended. Support can still help.";
  if (pending > 0) return "Something waits for an answer.";
  return `Settle it with ${otherSide(order)}, step by step.`;
}

function isStep(action: ResolutionAction): boolean {
  return STEPS.includes(action);
}

function isSupport(action: ResolutionAction): boolean {
  return action === "CONTACT_SUPPORT";
}

interface OptionGiven {
  order: OrderPageFragment;
  action: ActionPartsFragment;
  isOpen: boolean;
  onOpen: () => void;
  onClose: () => void;
}

// #region option
/** One option: closed, open with its form, or blocked with the reason. */
export function Option({ order, action, isOpen, onOpen, onClose }: OptionGiven) {
  const { icon } = SPECS[action.action];
  const title = titleOf(action.action, order.viewerRole);
  const panel = useId();
  const done = () => {
    onClose();
    notices.tell({ text: `${title}: done.`, tone: "done" });
  };
  if (!action.available && !isOpen) {
    return (
      <div className="option option-blocked" data-action={action.action}>
        <Icon name={icon} />
        <div>
          <p className="option-title">{title}</p>
          <p className="option-why">{action.explanation}</p>
        </div>
      </div>
    );
  }
  return (
    <div className={`option${isOpen ? " option-open" : ""}`} data-action={action.action}>
      <h3>
        <AriaButton
          className="option-button"
          aria-expanded={isOpen}
          {...(isOpen ? { "aria-controls": panel } : {})}
          onPress={isOpen ? onClose : onOpen}
        >
          <Icon name={icon} />
          <span className="option-title">{title}</span>
          <Icon name={isOpen ? "down" : "right"} />
        </AriaButton>
      </h3>
      {isOpen && (
        <div id={panel}>
          <ActionForm order={order} action={action} onDone={done} onCancel={onClose} />
        </div>
      )}
    </div>
  );
}
// #endregion

// ---------------------------------------------------------------- what waits

function PendingRequest({ order, request }: { order: OrderPageFragment; request: Request }) {
  const [open, setOpen] = useState<ResolutionAction | null>(null);
  const mine = request.requestedByRole === order.viewerRole;
  const actions = order.resolutionCenter.actions.filter((action) => action.request?.id === request.id && action.available);
  const chosen = actions.find(({ action }) => action === open);
  const accept = actions.find(({ action }) => action === "ACCEPT_REQUEST");
  const stopped = order.supportCase?.status === "OPEN" ? order.supportCase.openedAt : null;
  const heading = useId();
  const close = () => {
    setOpen(null);
  };
  return (
    <article className={`request${mine || order.viewerRole === "SUPPORT" ? "" : " request-mine-to-answer"}`} aria-labelledby={heading} data-kind={request.kind}>
      <p className="request-whose">{whose(order, mine)}</p>
      <h3 id={heading}>{asked(request, mine ? "You" : request.requestedBy.name)}</h3>
      <RequestWords request={request} />
      <div className="request-clock">
        <Countdown until={request.respondBy} stoppedSince={stopped} words={(left) => `${left} to answer`} />
        <p className="silence">{silence(request.kind, request.onDeadline)}</p>
      </div>
      {accept?.preview && !chosen && (
        <div className="preview" data-testid="preview">
          <PreviewFigures order={order} action={accept} preview={accept.preview} />
        </div>
      )}
      {chosen ? (
        <ActionForm
          order={order}
          action={chosen}
          request={request}
          onCancel={close}
          onDone={() => {
            close();
            notices.tell({ text: `${SPECS[chosen.action].title}: done.`, tone: "done" });
          }}
        />
      ) : (
        <div className="buttons">
          {actions.map((action) => (
            <RequestButton
              key={action.action}
              order={order}
              action={action}
              request={request}
              onOpen={() => {
                setOpen(action.action);
              }}
            />
          ))}
        </div>
      )}
    </article>
  );
}

function whose(order: OrderPageFragment, mine: boolean): string {
  if (order.viewerRole === "SUPPORT") return "Pending";
  return mine ? `Waiting for ${otherSide(order)}` : "Waiting for you";
}

/** What needs no form is done by the button itself; what it does stands above it. */
function RequestButton(given: { order: OrderPageFragment; action: ActionPartsFragment; request: Request; onOpen: () => void }) {
  const { order, action, request, onOpen } = given;
  const { title, verb, fields } = SPECS[action.action];
  const { send, sending, errors, trouble } = useSend(order, action, request);
  const main = action.action === "ACCEPT_REQUEST" || action.action === "ANSWER_ORDER_UPDATE";
  const act = async () => {
    if (fields.length > 0) {
      onOpen();
      return;
    }
    if (await send(EMPTY)) notices.tell({ text: `${title}: done.`, tone: "done" });
  };
  const refusal = trouble ?? errors[0]?.message;
  return (
    <>
      <Button tone={main ? "main" : "quiet"} isBusy={sending} onPress={() => void act()}>
        {fields.length > 0 ? title : verb}
      </Button>
      {refusal && (
        <p className="refusal" role="alert">
          {refusal}
        </p>
      )}
    </>
  );
}

/** All texts of a request, and which of them is private. */
export function RequestWords({ request }: { request: Request }) {
  return (
    <div className="request-words">
      {"reason" in request && request.reason && <p className="reason">{request.reason.label}</p>}
      {"explanation" in request && <blockquote>{request.explanation}</blockquote>}
      {"message" in request && request.message && <blockquote>{request.message}</blockquote>}
      {"answer" in request && request.answer && <blockquote className="answer">{request.answer}</blockquote>}
      {request.declineMessage && <blockquote className="answer">{request.declineMessage}</blockquote>}
      {"refund" in request && request.refund?.status === "FAILED" && (
        <p className="refusal">
          {money(request.refund.amount)} could not be paid back yet: {request.refund.failure}
        </p>
      )}
      {request.confidentialReason && (
        <p className="private">
          <Icon name="lock" />
          <span>
            <strong>{request.confidentialReason.label}</strong>
            {request.confidentialNote && <> – {request.confidentialNote}</>}
            <span className="private-who"> Only who asked and support see this.</span>
          </span>
        </p>
      )}
    </div>
  );
}
