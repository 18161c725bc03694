// Orders: yours as client and as freelancer, with filters, search and marks; endless, and live.
import { useEffect, useState } from "react";
import { Input, SearchField, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useSearchParams } from "react-router";
import { OrdersDocument, type OrderFilter, type OrderStatus, type Role } from "../generated/graphql";
import { listOf, PAGE, useEndless, useSeen } from "../live/lists";
import { useLive } from "../live/live";
import { Button, Choices, type Choice } from "../parts/controls";
import { Icon } from "../parts/icons";
import { Page } from "../parts/page";
import { ORDER_STATUS, ORDER_STATUSES } from "../words";
import { ListBones, OrderRow } from "./order-list";

const ROLES: Choice<Role | "ALL">[] = [
  { id: "ALL", label: "All" },
  { id: "CLIENT", label: "As client" },
  { id: "FREELANCER", label: "As freelancer" },
];
const STATUSES: Choice<OrderStatus | "ALL">[] = [
  { id: "ALL", label: "Any status" },
  ...ORDER_STATUSES.map((status) => ({ id: status, label: ORDER_STATUS[status] })),
];
const SORTS = {
  newest: { label: "Newest first", by: { field: "CREATED_AT", direction: "DESC" } },
  due: { label: "Due soonest", by: { field: "DELIVERY_DUE_AT", direction: "ASC" } },
  price: { label: "Highest price", by: { field: "PRICE", direction: "DESC" } },
} as const;
type Sort = keyof typeof SORTS;

const ORDERS = listOf(
  OrdersDocument,
  (data) => data.orders,
  (data, orders) => ({ ...data, orders: { ...data.orders, ...orders } }) as typeof data,
);

export function Orders() {
  const { isSupport } = useLive();
  const [params, setParams] = useSearchParams();
  const { typed, setTyped, search } = useSearch();
  const role = (params.get("role") ?? "ALL") as Role | "ALL";
  const status = (params.get("status") ?? "ALL") as OrderStatus | "ALL";
  const sort = (params.get("sort") ?? "newest") as Sort;
  const [awaitingMe, late] = [params.has("awaiting"), params.has("late")];

  const change = (changes: Record<string, string | null>) => {
    setParams(
      (held) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value === null) held.delete(name);
          else held.set(name, value);
        }
        return held;
      },
      { replace: true },
    );
  };

  const filter: OrderFilter = {
    ...(role === "ALL" ? {} : { role }),
    ...(status === "ALL" ? {} : { status: [status] }),
    ...(awaitingMe ? { awaitingMe: true } : {}),
    ...(late ? { late: true } : {}),
    ...(search ? { search } : {}),
  };
  const list = useEndless(ORDERS, { first: PAGE, filter, orderBy: SORTS[sort].by });
  const end = useSeen(list.readOn);

  return (
    <Page title="Orders" lead={isSupport ? "All orders, with what needs attention." : "Everything you ordered and everything you deliver."}>
      <div className="filters" role="search" aria-label="Filter orders">
        <SearchField className="search" value={typed} onChange={setTyped} aria-label="Search title or order number">
          <Icon name="search" />
          <Input placeholder="Search title or number" maxLength={200} />
        </SearchField>
        {!isSupport && (
          <ToggleButtonGroup
            className="segments"
            aria-label="Your role"
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[role]}
            onSelectionChange={(keys) => {
              const [key] = keys;
              change({ role: key === "ALL" || key === undefined ? null : String(key) });
            }}
          >
            {ROLES.map(({ id, label }) => (
              <ToggleButton key={id} id={id}>
                {label}
              </ToggleButton>
            ))}
          </ToggleButtonGroup>
        )}
        <ToggleButtonGroup
          className="segments"
          aria-label="Needs attention"
          selectionMode="multiple"
          selectedKeys={[...(awaitingMe ? ["awaiting"] : []), ...(late ? ["late"] : [])]}
          onSelectionChange={(keys) => {
            change({ awaiting: keys.has("awaiting") ? "1" : null, late: keys.has("late") ? "1" : null });
          }}
        >
          {!isSupport && <ToggleButton id="awaiting">Waits for me</ToggleButton>}
          <ToggleButton id="late">Late</ToggleButton>
        </ToggleButtonGroup>
        <span className="filters-end">
          <Choices
            label="Status"
            hideLabel
            choices={STATUSES}
            value={status}
            onChange={(value) => {
              change({ status: value === "ALL" ? null : value });
            }}
          />
          <Choices<Sort>
            label="Sort"
            hideLabel
            choices={Object.entries(SORTS).map(([id, { label }]) => ({ id: id as Sort, label }))}
            value={sort}
            onChange={(value) => {
              change({ sort: value === "newest" ? null : value });
            }}
          />
        </span>
      </div>
      {list.failed && <p className="empty">The orders can't be read at the moment.</p>}
      {list.nodes === null && !list.failed && <ListBones />}
      {list.nodes?.length === 0 && <p className="empty">No order fits. Widen the filter, or clear the search.</p>}
      {list.nodes && list.nodes.length > 0 && (
        <ul className="rows" aria-label="Orders">
          {list.nodes.map((order) => (
            <OrderRow key={order.id} order={order} />
          ))}
        </ul>
      )}
      {list.hasMore && (
        <div className="more" ref={end}>
          <Button onPress={list.readOn} isBusy={list.isReadingOn}>
            {list.isReadingOn ? "Reading on …" : "Show more"}
          </Button>
        </div>
      )}
    </Page>
  );
}

const TYPING_STOPS = 250;

function useSearch() {
  const [typed, setTyped] = useState("");
  const [search, setSearch] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => {
      setSearch(typed.trim());
    }, TYPING_STOPS);
    return () => {
      clearTimeout(timer);
    };
  }, [typed]);
  return { typed, setTyped, search };
}
