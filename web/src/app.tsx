// The app: who is here, what is live, and which page.
import { useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import { Button as AriaButton, Menu, MenuItem, MenuTrigger, Popover, RouterProvider } from "react-aria-components";
import { BrowserRouter, Navigate, NavLink, Outlet, Route, Routes, useNavigate } from "react-router";
import { MeDocument } from "./generated/graphql";
import { count } from "./format";
import { LiveProvider, useLive } from "./live/live";
import { Icon } from "./parts/icons";
import { ConnectionLight } from "./parts/marks";
import { Notices, useNotices } from "./parts/notices";
import { Dashboard } from "./pages/dashboard";
import { Inbox } from "./pages/inbox";
import { OrderPage } from "./pages/order/order";
import { Orders } from "./pages/orders";
import { SignIn } from "./pages/sign-in";
import { SupportDesk } from "./pages/support";
import { SessionProvider, useSession } from "./session/session";
import { THEMES, theme, type Theme } from "./theme";

export function App() {
  return (
    <BrowserRouter>
      <SessionProvider waiting={(trouble) => <Waiting trouble={trouble} />}>
        <Inside />
      </SessionProvider>
    </BrowserRouter>
  );
}

function Inside() {
  const { signed } = useSession();
  const navigate = useNavigate();
  return (
    <RouterProvider navigate={(path) => void navigate(path)}>
      {signed ? (
        <LiveProvider waiting={(trouble) => <Waiting trouble={trouble} />}>
          <Routes>
            <Route element={<Shell />}>
              <Route path="/orders" element={<Orders />} />
              <Route path="/orders/:id" element={<OrderPage />} />
              <Route path="/inbox" element={<Inbox />} />
              <Route path="/dashboard" element={<Dashboard />} />
              <Route path="/support/:id?" element={<SupportDesk />} />
              <Route path="*" element={<Home />} />
            </Route>
          </Routes>
        </LiveProvider>
      ) : (
        <SignIn />
      )}
    </RouterProvider>
  );
}

/** Where each begins: support at its desk, everybody else with their orders. */
function Home() {
  const { isSupport } = useLive();
  return <Navigate to={isSupport ? "/support" : "/orders"} replace />;
}

function Waiting({ trouble }: { trouble: boolean }) {
  return (
    <div className="waiting" aria-busy="true">
      {trouble && <p role="status">The server can&apos;t be reached. Trying again …</p>}
    </div>
  );
}

function Shell() {
  const { light, isSupport } = useLive();
  const { config } = useSession();
  const { data } = useQuery(MeDocument, { fetchPolicy: "cache-first" });
  const waiting = data?.dashboard.awaitingMe ?? 0;
  useNotices();
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="top">
        <NavLink to="/" className="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M6 9.5h12.5a4.5 4.5 0 0 1 4.5 4.5v2" />
            <path d="M26 22.5H13.500a4.500 4.500 0 0 1-4.500-4.500v-2" />
            <circle cx="6" cy="9.500" r="2.500" />
            <circle cx="26" cy="22.500" r="2.500" />
          </svg>
          <span>Resolution Center</span>
        </NavLink>
        <nav className="nav" aria-label="Main">
          {isSupport && <NavLink to="/support">Support desk</NavLink>}
          <NavLink to="/orders">Orders</NavLink>
          {!isSupport && (
            <NavLink to="/inbox">
              Inbox
              <span className={`badge${waiting > 0 ? "" : " badge-none"}`} data-testid="inbox-badge">
                {count(waiting)}
                <span className="hidden"> waiting</span>
              </span>
            </NavLink>
          )}
          <NavLink to="/dashboard">Dashboard</NavLink>
          {config.graphiql && (
            <a href="/graphiql" className="nav-api">
              GraphiQL
            </a>
          )}
        </nav>
        <div className="top-end">
          <ConnectionLight light={light} />
          <PersonMenu />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      <Notices />
    </>
  );
}

function PersonMenu() {
  const { viewer, isSupport } = useLive();
  const { config, signOut } = useSession();
  const [chosen, setChosen] = useState<Theme>(theme.chosen);
  const isDemo = config.signIn.kind === "demo";
  useEffect(() => {
    theme.choose(chosen);
  }, [chosen]);
  return (
    <MenuTrigger>
      <AriaButton className="me">
        <span className="face" aria-hidden="true">
          {viewer.name.slice(0, 1)}
        </span>
        <span className="me-name">{viewer.name}</span>
        <span className="hidden"> menu</span>
        <Icon name="down" />
      </AriaButton>
      <Popover className="popover" placement="bottom end">
        <Menu
          className="list-box"
          aria-label="You"
          selectionMode="single"
          selectedKeys={[chosen]}
          onAction={(key) => {
            if (key === "leave") signOut();
            else setChosen(key as Theme);
          }}
        >
          {THEMES.map(({ id, label }) => (
            <MenuItem key={id} id={id} className="list-box-item">
              {label}
            </MenuItem>
          ))}
          <MenuItem id="leave" className="list-box-item list-box-last">
            {isDemo ? "Be somebody else" : "Sign out"}
            {isSupport && <span className="hidden"> from support</span>}
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
