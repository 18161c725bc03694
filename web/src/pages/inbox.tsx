// Inbox: what waits for my answer, the soonest deadline first.
import { Link } from "react-router";
import { InboxDocument } from "../generated/graphql";
import { listOf, useEndless, useSeen } from "../live/lists";
import { Button } from "../parts/controls";
import { Countdown } from "../parts/marks";
import { Page } from "../parts/page";
import { asked, silence } from "../words";
import { ListBones, pathTo } from "./order-list";
import { RequestWords } from "./order/center";

const INBOX = listOf(
  InboxDocument,
  (data) => data.resolutionRequests,
  (data, resolutionRequests) => ({ ...data, resolutionRequests: { ...data.resolutionRequests, ...resolutionRequests } }) as typeof data,
);

const EVERYTHING = { first: 100 };

export function Inbox() {
  const list = useEndless(INBOX, EVERYTHING);
  const end = useSeen(list.readOn);
  const waiting = list.nodes
    ?.filter((request) => request.status === "PENDING")
    .sort((one, other) => Date.parse(one.respondBy) - Date.parse(other.respondBy));
  return (
    <Page title="Inbox" lead="What waits for your answer, the soonest deadline first.">
      {list.failed && <p className="empty">The inbox can't be read at the moment.</p>}
      {!waiting && !list.failed && <ListBones />}
      {waiting?.length === 0 && <p className="empty">Nothing waits for you.</p>}
      {waiting && waiting.length > 0 && (
        <ul className="inbox" aria-label="Requests that wait for you">
          {waiting.map((request) => {
            const stopped = request.order.supportCase?.status === "OPEN" ? request.order.supportCase.openedAt : null;
            return (
              <li key={request.id} className="letter">
                <div className="letter-clock">
                  <Countdown until={request.respondBy} stoppedSince={stopped} />
                </div>
                <div className="letter-words">
                  <h2>
                    <Link to={pathTo(request.order)}>{asked(request, request.requestedBy.name)}</Link>
                  </h2>
                  <p className="letter-order">
                    {request.order.title} · {request.order.reference}
                  </p>
                  <RequestWords request={request} />
                  <p className="silence">{silence(request.kind, request.onDeadline)}</p>
                </div>
                <Link to={pathTo(request.order)} className="button button-quiet letter-go" aria-label={`Answer: ${request.order.title}`}>
                  Answer
                </Link>
              </li>
            );
          })}
        </ul>
      )}
      {list.hasMore && (
        <div className="more" ref={end}>
          <Button onPress={list.readOn}>Show more</Button>
        </div>
      )}
    </Page>
  );
}
