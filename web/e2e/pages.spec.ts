// Every page for everybody: axe in light and dark, narrow and wide, by keyboard, without a jump, in any language.
import axe from "axe-core";
import type { Page } from "@playwright/test";
import { choose, expect, test, type Options } from "./world";
import type { Name } from "./server";

const WIDTHS = [360, 768, 1280, 2000];

test.describe("axe finds nothing", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`in ${colorScheme}, on any page, narrow and wide`, async ({ service, sits, browser }) => {
      test.slow();
      const orderId = await service.started("Van lettering");
      await service.offers(orderId);
      await service.does("Ada", "requestOrderUpdate", { orderId, explanation: "How far?" });
      const other = await service.started("Shelf labels");
      await service.does("Ada", "contactSupport", { orderId: other, message: "We are stuck." });

      const ada = await sits("Ada", { colorScheme });
      for (const path of ["/orders", "/inbox", "/dashboard", `/orders/${orderId}`, `/orders/${other}`]) await examine(ada.page, path);
      await ada.opens(orderId);
      await ada.center.getByRole("button", { name: "Ask the freelancer to cancel this order" }).click();
      await expectNothing(ada.page, "open form");
      const form = ada.page.getByRole("form", { name: "Ask the freelancer to cancel this order" });
      await form.getByRole("button", { name: "Send request" }).click();
      await expect(form.getByText("Choose a reason.")).toBeVisible();
      await expectNothing(ada.page, "form with errors");
      await form.getByRole("button", { name: /Reason/ }).click();
      await expectNothing(ada.page, "open drop-down");
      await ada.page.keyboard.press("Escape");
      await ada.page.getByRole("button", { name: "Ada menu" }).click();
      await expectNothing(ada.page, "open menu");

      const farid = await sits("Farid", { colorScheme, path: `/orders/${orderId}` });
      await farid.center.getByRole("button", { name: /Withdraw/ }).click();
      await expect(farid.notices).toContainText("Withdraw: done.");
      await expectNothing(farid.page, "notice");

      const sol = await sits("Sol", { colorScheme });
      for (const path of ["/support", "/orders", "/dashboard"]) await examine(sol.page, path);
      const stranger = await browser.newContext({ baseURL: service.url, colorScheme });
      const page = await stranger.newPage();
      await examine(page, "/sign-in");
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.goto("/graphiql");
      await page.locator(".graphiql-query-editor .view-line").first().waitFor();
      await expectNothing(page, "GraphiQL");
      await page.locator(".graphiql-execute-button").click();
      await expect(page.locator(".result-window")).toContainText("eventCursor");
      await page.getByRole("button", { name: "Show History" }).click();
      await expectNothing(page, "GraphiQL with an answer and its history");
      await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
      await page.locator(".graphiql-doc-explorer-root-type").first().waitFor();
      await expectNothing(page, "GraphiQL's documentation");
      await page.locator(".graphiql-doc-explorer").getByRole("link", { name: "Mutation" }).click();
      await page.locator(".graphiql-doc-explorer-field-name").first().waitFor();
      await expectNothing(page, "a type in GraphiQL's documentation");
      await stranger.close();
    });
  }
});

async function examine(page: Page, path: string): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForTimeout(300);
  await expectNothing(page, path);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, `${path} at ${String(width)} px scrolls sideways`).toBeLessThanOrEqual(0);
  }
  await page.setViewportSize({ width: 360, height: 800 });
  await expectNothing(page, `${path} at 360 px`);
}

async function expectNothing(page: Page, where: string): Promise<void> {
  await page.evaluate("scrollTo(0, 0)"); // what lies under the bar is no target just now
  await page.evaluate(`${axe.source}; undefined`); // by the debugger: the page's own policy would not let it in
  const violations = await page.evaluate(async () => {
    const found = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
  });
  expect(violations, where).toEqual([]);
}

test("everything by keyboard: from the list to an offer that is sent", async ({ service, sits }) => {
  await service.started("By keyboard");
  const farid = await sits("Farid");
  const { page } = farid;
  const row = page.getByRole("link", { name: /By keyboard/ });
  await row.waitFor();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the page" })).toBeFocused();
  await page.keyboard.press("Enter");
  await tabTo(page, row);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "By keyboard" })).toBeFocused();
  await tabTo(page, farid.center.getByRole("button", { name: "Offer a partial refund" }));
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Refund amount")).toBeFocused();
  await page.keyboard.type("12.34");
  await page.keyboard.press("Tab");
  await page.keyboard.type("For the wait.");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.type("The del");
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("button", { name: "Send offer" }));
  await page.keyboard.press("Enter");
  await expect(farid.center.getByRole("article", { name: "You offer $12.34 back" })).toContainText("The delivery is late");
  await tabTo(page, farid.center.getByRole("button", { name: "Withdraw" }), "Shift+Tab");
  await page.keyboard.press("Space");
  await expect(farid.center.getByRole("article")).toHaveCount(0);
});

async function tabTo(page: Page, target: import("@playwright/test").Locator, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if (await target.evaluate((element) => element === document.activeElement).catch(() => false)) return;
    await page.keyboard.press(key);
  }
  await expect(target).toBeFocused();
}

test("nothing jumps while a page comes, and what comes is small", async ({ service, sits }) => {
  const orderId = await service.started("Still");
  await service.offers(orderId);
  const who: [Name, string][] = [
    ["Ada", "/orders"],
    ["Ada", "/inbox"],
    ["Ada", "/dashboard"],
    ["Ada", `/orders/${orderId}`],
    ["Sol", "/support"],
  ];
  for (const [name, path] of who) {
    const { page } = await sits(name, { path: "/sign-in" });
    await page.addInitScript(() => {
      const measured = { shift: 0 };
      Object.assign(globalThis, { measured });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) measured.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForTimeout(1_200);
    const { shift, painted, script } = await page.evaluate(() => ({
      shift: (globalThis as unknown as { measured: { shift: number } }).measured.shift,
      painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
      script: (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
        .filter(({ name: url }) => url.endsWith(".js"))
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
    }));
    test.info().annotations.push({ type: "measured", description: `${path}: shift ${shift.toFixed(4)}, first paint ${painted.toFixed(0)} ms, script ${String(script)} B` });
    console.log(`      ${path.slice(0, 12)}: shift ${shift.toFixed(4)}, first contentful paint ${painted.toFixed(0)} ms, script ${(script / 1000).toFixed(0)} kB compressed`);
    expect(shift, path).toBeLessThan(0.02);
    expect(script, path).toBeLessThan(250_000);
  }
});

test("amounts, dates and spans are written in the browser's language", async ({ service, sits }) => {
  const orderId = await service.started("Auf Deutsch", { price: { amount: "1234.50", currencyCode: "EUR" } });
  const german: Options = { locale: "de-AT", path: `/orders/${orderId}` };
  const farid = await sits("Farid", german);
  await expect(farid.page.locator(".facts")).toContainText(/€\s?1[\s.]?234,50/);
  await farid.center.getByRole("button", { name: "Offer a partial refund" }).click();
  const form = farid.page.getByRole("form", { name: "Offer a partial refund" });
  await form.getByLabel("Refund amount").fill("100,25");
  await form.getByLabel("Explanation").fill("Für die Wartezeit.");
  await choose(form, "Reason", "A gesture of goodwill");
  await form.getByRole("button", { name: "Send offer" }).click();
  await expect(farid.center.getByRole("article")).toContainText(/€\s?100,25/);
  await expect(farid.center.getByRole("timer")).toContainText(/Tg\.|Tag/);
});

test("no page asks anybody but this server", async ({ service, sits }) => {
  const ada = await sits("Ada");
  const foreign: string[] = [];
  ada.page.on("request", (request) => {
    if (!request.url().startsWith(service.url)) foreign.push(request.url());
  });
  for (const path of ["/orders", "/inbox", "/dashboard"]) {
    const policy = (await ada.page.goto(path))?.headers()["content-security-policy"] ?? "";
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[\w-]+';/);
    expect(policy).not.toContain("unsafe");
    await ada.page.getByRole("heading", { level: 1 }).waitFor();
  }
  expect(foreign).toEqual([]);
});
