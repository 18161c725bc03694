// GraphiQL under its policy: a query, a mutation and a subscription, with a token that is never written down.
import type { Page, Route } from "@playwright/test";
import { complain, expect, test } from "./world";

test("it asks, changes and watches, and the console stays silent", async ({ service, browser }) => {
  const orderId = await service.started("Bakery logo");
  const complaints: string[] = [];
  const foreign: string[] = [];
  const context = await browser.newContext({ baseURL: service.url });
  const [watcher, actor] = [await context.newPage(), await context.newPage()];
  for (const page of [watcher, actor]) {
    complain(page, "graphiql", complaints);
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(service.url)) foreign.push(request.url());
    });
  }
  const policy = await watcher.goto("/graphiql").then((response) => response?.headers()["content-security-policy"]);
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toContain("unsafe-eval");

  await expect(tabs(watcher).getByRole("listitem")).toHaveCount(8);
  await run(watcher, "query WhatNeedsMe");
  await expect(answer(watcher)).toContainText('"eventCursor"');
  await tabs(watcher).getByRole("button", { name: "Watch", exact: true }).click();
  const subscribed = subscription(watcher);
  await run(watcher, "subscription Watch");
  await subscribed;
  await watcher.waitForTimeout(500);

  await actor.goto("/graphiql");
  await tabs(actor).getByRole("button", { name: "OfferPartialRefund", exact: true }).click();
  await expect(actor.getByRole("combobox", { name: "Act as" })).toHaveValue("freelancer-1");
  await ready(actor, "mutation OfferPartialRefund");
  const input = {
    orderId,
    amount: { amount: "15.00", currencyCode: "USD" },
    explanation: "The second draft came late.",
    confidentialReason: "DELIVERY_DELAYED",
  };
  await type(actor, "Variables", JSON.stringify({ input }));
  await actor.locator(".graphiql-execute-button").click();
  await expect(answer(actor)).toContainText('"status": "PENDING"');
  await expect(answer(watcher)).toContainText('"REQUEST_OPENED"');
  await expect(answer(watcher)).toContainText('"Farid"');

  await actor.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await actor.getByRole("link", { name: "Mutation", exact: true }).click();
  await expect(actor.locator(".graphiql-doc-explorer")).toContainText("What may be done.");

  for (const page of [watcher, actor]) {
    const kept = await page.evaluate(() => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, location.href]));
    expect(kept).toContain("OfferPartialRefund");
    expect(kept).not.toContain("Bearer");
    expect(kept).not.toContain("eyJ");
  }
  await context.close();
  expect(complaints).toEqual([]);
  expect(foreign, "nobody but this server is asked").toEqual([]);
});

test("a tab that is chosen before the editors are there is the one that they show", async ({ service, browser }) => {
  const context = await browser.newContext({ baseURL: service.url });
  const page = await context.newPage();
  const held: Route[] = [];
  await page.route("**/assets/monaco-editor-*.js", (route) => {
    held.push(route);
  });
  await page.goto("/graphiql", { waitUntil: "commit" });
  await tabs(page).getByRole("button", { name: "OfferPartialRefund", exact: true }).click();
  await expect(page.getByRole("combobox", { name: "Act as" })).toHaveValue("freelancer-1");
  await expect.poll(() => held.length).toBe(1);
  await held[0]?.continue();
  await ready(page, "mutation OfferPartialRefund");
  await page.getByRole("button", { name: "Variables", exact: true }).click();
  await expect(page.locator('[data-uri$="variables.json"] .view-lines')).toContainText('"currencyCode"');
  await tabs(page).getByRole("button", { name: "WhatNeedsMe", exact: true }).click();
  await expect(page.locator(".graphiql-query-editor .view-lines")).toContainText("WhatNeedsMe");
  await context.close();
});

function tabs(page: Page) {
  return page.getByRole("list", { name: "Select active operation" });
}

function answer(page: Page) {
  return page.locator(".result-window");
}

/** Until the tab shows its document, and the headers that are written a moment later. */
async function ready(page: Page, document: string): Promise<void> {
  const text = (locator: string) => page.locator(locator).first().innerText();
  const plain = async (locator: string) => (await text(locator)).replaceAll(/\s+/g, " ");
  await expect.poll(() => plain(".graphiql-query-editor .view-lines"), { timeout: 15_000 }).toContain(document);
  await expect.poll(() => plain('[data-uri$="request-headers.json"] .view-lines')).toContain("Bearer");
}

async function run(page: Page, document: string): Promise<void> {
  await ready(page, document);
  await page.locator(".graphiql-execute-button").click();
}

/** Until a subscription has been sent. */
function subscription(page: Page): Promise<void> {
  return new Promise((resolve) => {
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => {
        if (payload.toString().includes('"subscribe"')) resolve();
      });
    });
  });
}

async function type(page: Page, editor: "Variables" | "Headers", text: string): Promise<void> {
  await page.getByRole("button", { name: editor, exact: true }).click();
  await page.locator(`[data-uri$="${editor === "Variables" ? "variables" : "headers"}.json"]`).click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(text);
  await page.keyboard.press("Control+Shift+End"); // the brackets that the editor adds by itself
  await page.keyboard.press("Delete");
}
