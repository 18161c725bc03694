// GraphiQL, from this server alone: queries over HTTP, streams over WebSocket, examples for each role.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./graphiql.css";
import { GraphiQL } from "graphiql";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { readConfig, type Config, type DemoPerson } from "../client/config";
import { theme } from "../theme";
import { ActAs } from "./act-as";
import { examples } from "./examples";
import { fetcher } from "./fetcher";
import { InStep } from "./in-step";
import { storage } from "./storage";

async function start() {
  const config: Config | null = await readConfig().catch(() => null);
  const people: DemoPerson[] = config?.signIn.kind === "demo" ? config.signIn.people : [];
  const root = document.getElementById("root");
  if (!root) return;
  const { chosen } = theme;
  createRoot(root).render(
    <StrictMode>
      <main>
        <h1 className="hidden">GraphiQL</h1>
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          defaultTabs={await examples(people)}
          // A token is never written down: whoever sits here next must not find it.
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
          defaultEditorToolsVisibility="headers"
          inputValueDeprecation
          {...(chosen === "system" ? {} : { forcedTheme: chosen })}
        >
          <GraphiQL.Logo>
            <InStep />
            <ActAs people={people} />
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </StrictMode>,
  );
}

void start();
