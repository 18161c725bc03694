// Live dashboard: the viewer's figures, or everybody's for support; moved by the subscription, without flicker.
import { useApolloClient, useQuery } from "@apollo/client/react";
import { useEffect, useState, type ReactNode } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { Link } from "react-router";
import { MeDocument, RecentEventsDocument, type RecentEventsQuery } from "../generated/graphql";
import { count } from "../format";
import { useEvents, useLive } from "../live/live";
import { useServerTime } from "../live/time";
import { Ago } from "../parts/marks";
import { Page } from "../parts/page";
import { happened, ORDER_STATUS, REQUEST_KIND } from "../words";
import { EventsChart, WINDOWS, type WindowName } from "./events-chart";
import { pathTo } from "./order-list";

export function Dashboard() {
  const { isSupport, viewer } = useLive();
  const { data } = useQuery(MeDocument, { fetchPolicy: "cache-first" });
  const recent = useRecent();
  const figures = data?.dashboard;
  if (!figures) return null;
  return (
    <Page title="Dashboard" lead={isSupport ? "All orders of the marketplace, as they stand now." : "Your orders, as they stand now."} wide>
      <ul className="figures" aria-label="Figures">
        {!isSupport && (
          <Figure name="Wait for your answer" number={figures.awaitingMe} to="/inbox" alarm={figures.awaitingMe > 0} />
        )}
        <Figure name="Deadlines near" number={figures.deadlinesNear} alarm={figures.deadlinesNear > 0} />
        <Figure name="Late orders" number={figures.lateOrders} to="/orders?late=1" alarm={figures.lateOrders > 0} />
        <Figure name="At support" number={figures.openSupportCases} {...(isSupport ? { to: "/support" } : {})} />
      </ul>
      <div className="panels">
        <Panel title="Orders by status">
          <Bars
            rows={figures.ordersByStatus.map((row) => ({
              id: row.status,
              name: ORDER_STATUS[row.status],
              number: row.count,
              to: `/orders?status=${row.status}`,
            }))}
          />
        </Panel>
        <Panel title="Pending requests by kind">
          <Bars rows={figures.pendingRequestsByKind.map((row) => ({ id: row.kind, name: REQUEST_KIND[row.kind], number: row.count }))} />
        </Panel>
        <EventsPanel happenings={recent} />
        <Panel title="What happened last" className="panel-feed">
          {recent.isRead && recent.events.length === 0 && <p className="empty">Nothing has happened yet.</p>}
          <ol className="feed" aria-busy={!recent.isRead}>
            {!recent.isRead && recent.events.length === 0 && <FeedBones />}
            {recent.events.slice(0, 6).map((event) => (
              <li key={event.id}>
                <span className="feed-words">
                  {happened(event, viewer.id)}
                  <Link to={pathTo(event.order)}>{event.order.title}</Link>
                </span>
                <Ago at={event.occurredAt} />
              </li>
            ))}
          </ol>
        </Panel>
      </div>
    </Page>
  );
}

function FeedBones() {
  return Array.from({ length: 6 }, (_, row) => (
    <li key={row} className="feed-bones" aria-hidden="true">
      <span className="bone" />
      <span className="bone" />
    </li>
  ));
}

interface FigureGiven {
  name: string;
  number: number;
  to?: string;
  alarm?: boolean;
}

function Figure({ name, number, to, alarm = false }: FigureGiven) {
  const inside = (
    <>
      <span className="figure-number number">{count(number)}</span>
      <span className="figure-name">{name}</span>
    </>
  );
  return (
    <li className={`figure${alarm ? " figure-alarm" : ""}`} data-figure={name}>
      {to ? <Link to={to}>{inside}</Link> : <span>{inside}</span>}
    </li>
  );
}

function Panel({ title, children, className = "", aside }: { title: string; children: ReactNode; className?: string; aside?: ReactNode }) {
  return (
    <section className={`panel ${className}`} aria-label={title}>
      <header className="panel-head">
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

interface Row {
  id: string;
  name: string;
  number: number;
  to?: string;
}

/** Bars beside their numbers: the number is the figure, the bar only helps to compare. */
function Bars({ rows }: { rows: Row[] }) {
  const most = Math.max(1, ...rows.map((row) => row.number));
  return (
    <dl className="bars">
      {rows.map((row) => (
        <div key={row.id} data-row={row.id}>
          <dt>{row.to ? <Link to={row.to}>{row.name}</Link> : row.name}</dt>
          <dd>
            <span className="bar" aria-hidden="true">
              <span style={{ transform: `scaleX(${String(row.number / most)})` }} />
            </span>
            <span className="number">{count(row.number)}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

// ---------------------------------------------------------------- events

type Recent = RecentEventsQuery["viewerEvents"]["nodes"][number];

export interface Happenings {
  /** The newest first. */
  events: Recent[];
  /** Whether there is nothing before them: else the chart begins with the oldest of them. */
  isWhole: boolean;
  /** Whether what happened before has been asked for and come. */
  isRead: boolean;
}

const PAGES = 3;
const A_PAGE = 100;
const KEPT = 1000;

/** The last few hundred events, then each as it happens. */
function useRecent(): Happenings {
  const apollo = useApolloClient();
  const [happenings, setHappenings] = useState<Happenings>({ events: [], isWhole: false, isRead: false });
  useEffect(() => {
    let stopped = false;
    const read = async () => {
      let before: string | null = null;
      for (let page = 0; page < PAGES && !stopped; page++) {
        const answer: { data?: RecentEventsQuery | undefined } = await apollo.query({
          query: RecentEventsDocument,
          variables: { last: A_PAGE, before },
          fetchPolicy: "no-cache",
        });
        if (!answer.data) return;
        const { nodes, pageInfo } = answer.data.viewerEvents;
        setHappenings((held) => ({ events: merged(held.events, nodes), isWhole: !pageInfo.hasPreviousPage, isRead: true }));
        if (!pageInfo.hasPreviousPage) return;
        before = pageInfo.startCursor;
      }
    };
    read().catch(() => undefined); // what comes live is shown all the same
    return () => {
      stopped = true;
    };
  }, [apollo]);
  useEvents(({ event }) => {
    setHappenings((held) => ({ ...held, events: merged(held.events, [event]) }));
  });
  return happenings;
}

function merged(held: Recent[], found: Recent[]): Recent[] {
  const known = new Set(held.map((event) => event.id));
  return [...held, ...found.filter((event) => !known.has(event.id))]
    .sort((one, other) => Date.parse(other.occurredAt) - Date.parse(one.occurredAt))
    .slice(0, KEPT);
}

function EventsPanel({ happenings }: { happenings: Happenings }) {
  const [window, setWindow] = useState<WindowName>("day");
  const now = useServerTime();
  return (
    <Panel
      title="Events"
      className="panel-chart"
      aside={
        <ToggleButtonGroup
          className="segments segments-small"
          aria-label="Span of time"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[window]}
          onSelectionChange={(keys) => {
            const [key] = keys;
            if (key !== undefined) setWindow(key as WindowName);
          }}
        >
          {Object.entries(WINDOWS).map(([name, { label }]) => (
            <ToggleButton key={name} id={name}>
              {label}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
      }
    >
      <EventsChart instants={happenings.events.map((event) => Date.parse(event.occurredAt))} isWhole={happenings.isWhole} isRead={happenings.isRead} window={WINDOWS[window]} now={now} />
    </Panel>
  );
}
