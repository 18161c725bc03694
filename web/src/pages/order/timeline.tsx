// The story of an order: everything that happened, the newest first, by day.
import type { EventPartsFragment, OrderEventKind } from "../../generated/graphql";
import { clockTime, dayWithWeekday, exactDateTime } from "../../format";
import { useLive } from "../../live/live";
import { Button } from "../../parts/controls";
import { RequestMark } from "../../parts/marks";
import { happened } from "../../words";
import { RequestWords } from "./center";

interface Given {
  order: { viewerRole: string };
  events: EventPartsFragment[];
  hasMore: boolean;
  onMore: () => void;
}

/** A request's words stand where it was opened; its end is said where it ended. */
const SHOWS_REQUEST: OrderEventKind[] = ["REQUEST_OPENED"];

export function Timeline({ events, hasMore, onMore }: Given) {
  const { viewer } = useLive();
  const days = byDay([...events].sort((one, other) => other.sequence - one.sequence));
  return (
    <section className="timeline" aria-label="What happened">
      <h2>What happened</h2>
      {days.map(([day, happenings]) => (
        <div key={day} className="timeline-day">
          <h3>{day}</h3>
          <ol>
            {happenings.map((event) => (
              <li key={event.id} className={`event event-${event.kind.toLowerCase()}`} data-kind={event.kind}>
                <time dateTime={event.occurredAt} title={exactDateTime(event.occurredAt)}>
                  {clockTime(event.occurredAt)}
                </time>
                <div className="event-words">
                  <p>{happened(event, viewer.id)}</p>
                  {event.message && <blockquote>{event.message}</blockquote>}
                  {event.request && SHOWS_REQUEST.includes(event.kind) && (
                    <>
                      <RequestWords request={event.request} />
                      <RequestMark status={event.request.status} />
                    </>
                  )}
                </div>
              </li>
            ))}
          </ol>
        </div>
      ))}
      {hasMore && <Button onPress={onMore}>Show what happened before</Button>}
    </section>
  );
}

function byDay(events: EventPartsFragment[]): [string, EventPartsFragment[]][] {
  const days = new Map<string, EventPartsFragment[]>();
  for (const event of events) {
    const day = dayWithWeekday(event.occurredAt);
    days.set(day, [...(days.get(day) ?? []), event]);
  }
  return [...days];
}
