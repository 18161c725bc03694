// Quiet notices: what the other side did, what was done, what did not work.
import { useEffect, useRef } from "react";
import {
  Button,
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContent,
  UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components";
import { Link } from "react-router";
import { useEvents, useLive, type Happening } from "../live/live";
import { happened } from "../words";
import { Icon } from "./icons";

export interface Notice {
  text: string;
  /** Where it can be looked at. */
  order?: { id: string; title: string };
  tone?: "done" | "warning";
}

const queue = new ToastQueue<Notice>({ maxVisibleToasts: 3 });
const SHOWN_FOR = 6000;

export const notices = {
  tell(notice: Notice): void {
    queue.add(notice, { timeout: notice.tone === "warning" ? SHOWN_FOR * 2 : SHOWN_FOR });
  },
};

/** Tells what others do, as it happens; what was missed is told in one sum. */
export function useNotices(): void {
  const { viewer, refreshed } = useLive();
  const missed = useRef(0);
  useEvents(({ event, missed: wasMissed }: Happening) => {
    if (event.actor?.id === viewer.id) return;
    if (wasMissed) missed.current += 1;
    else notices.tell({ text: happened(event, viewer.id), order: event.order });
  });
  useEffect(
    () =>
      refreshed.listen(() => {
        const number = missed.current;
        missed.current = 0;
        if (number === 1) notices.tell({ text: "One thing happened while you were away. It is on the page now." });
        if (number > 1) notices.tell({ text: `${String(number)} things happened while you were away. They are on the page now.` });
      }),
    [refreshed],
  );
}

export function Notices() {
  return (
    <ToastRegion queue={queue} className="notices" aria-label="Notices">
      {({ toast }) => (
        <Toast toast={toast} className={`notice${toast.content.tone ? ` notice-${toast.content.tone}` : ""}`}>
          <ToastContent className="notice-words">
            <Text slot="title">{toast.content.text}</Text>
            {toast.content.order && (
              <Link to={`/orders/${encodeURIComponent(toast.content.order.id)}`}>{toast.content.order.title}</Link>
            )}
          </ToastContent>
          <Button slot="close" className="notice-close" aria-label="Dismiss">
            <Icon name="cross" />
          </Button>
        </Toast>
      )}
    </ToastRegion>
  );
}
