// Live, truly: the line is cut and mended, clocks differ, tabs agree, figures move, lists grow.
import { Line } from "./server";
import { collectLights, expect, test } from "./world";

test("a cut line: reconnecting, then everything that happened meanwhile, once, without reload", async ({ service, sits }) => {
  const orderId = await service.started("Icon set");
  const line = await new Line().start(service.url);
  try {
    const ada = await sits("Ada", { at: line.url, tolerates: /ERR_|WebSocket/ });
    await ada.opens(orderId);
    await expect(ada.light).toHaveText("Live");
    await ada.page.evaluate(() => {
      Object.assign(globalThis, { notReloaded: true });
    });
    const seen = await collectLights(ada.page);

    line.cut();
    await expect(ada.light).toHaveText("Reconnecting");
    const first = await service.offers(orderId, "11.00");
    await service.does("Farid", "withdrawRequest", { requestId: first });
    await service.offers(orderId, "22.00");
    await ada.page.waitForTimeout(1_500);
    await expect(ada.center.getByRole("article")).toHaveCount(0);
    line.mend();

    await expect(ada.light).toHaveText("Live", { timeout: 20_000 });
    await expect(ada.center.getByRole("article", { name: "Farid offers $22.00 back" })).toBeVisible();
    await expect(ada.timeline.locator("[data-kind=REQUEST_OPENED]")).toHaveCount(2);
    await expect(ada.timeline.locator("[data-kind=REQUEST_WITHDRAWN]")).toHaveCount(1);
    await expect(ada.notices).toContainText("3 things happened while you were away");
    expect(await seen()).toEqual(["live", "reconnecting", "catching up", "live"]);
    expect(await ada.page.evaluate(() => "notReloaded" in globalThis)).toBe(true);

    await service.does("Ada", "requestOrderUpdate", { orderId, explanation: "And now?" }); // live again
    await expect(ada.timeline).toContainText("You asked for an update");
  } finally {
    await line.stop();
  }
});

test("what the other side does is on screen within a second, told and not asked for", async ({ service, sits }) => {
  const orderId = await service.started("Ferry timetable");
  const ada = await sits("Ada", { path: "/sign-in" });
  const heard: string[] = [];
  ada.page.on("request", (request) => {
    if (request.url().endsWith("/graphql")) heard.push("asked");
  });
  ada.page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      if (payload.toString().includes('"REQUEST_OPENED"')) heard.push("told");
    });
  });
  await ada.opens(orderId);
  await expect(ada.light).toHaveText("Live");
  // The server's clock and the browser's are the same here: from the instant that the event bears to that of its drawing.
  await ada.page.evaluate(() => {
    const took: Record<string, number> = {};
    Object.assign(globalThis, { took });
    new MutationObserver(() => {
      for (const event of document.querySelectorAll("[data-kind=REQUEST_OPENED]")) {
        const occurredAt = event.querySelector("time")?.dateTime ?? "";
        took[event.getAttribute("data-sequence") ?? ""] ??= Date.now() - Date.parse(occurredAt);
      }
    }).observe(document.body, { childList: true, subtree: true });
  });
  const opened = ada.timeline.locator("[data-kind=REQUEST_OPENED]");
  for (let times = 1; times <= 5; times++) {
    await ada.page.waitForTimeout(2_000); // what the page asks after an event has had its time
    heard.length = 0;
    const requestId = await service.offers(orderId);
    await expect(opened).toHaveCount(times);
    expect(heard[0], "the page asks when it was told, not before").toBe("told");
    await service.does("Farid", "withdrawRequest", { requestId });
  }
  const took = Object.values(await ada.page.evaluate(() => (globalThis as unknown as { took: Record<string, number> }).took));
  expect(took).toHaveLength(5);
  // A machine that is busy may be late once or twice; who asks every few seconds is late each time but by luck.
  expect(took.sort((one, other) => one - other)[1], `in ms: ${String(took)}`).toBeLessThan(1_000);
});

test("offline, as the browser itself says it", async ({ service, sits }) => {
  const orderId = await service.started("Recipe cards");
  const ada = await sits("Ada", { tolerates: /ERR_|WebSocket/ });
  await ada.opens(orderId);
  await expect(ada.light).toHaveText("Live");
  await ada.page.context().setOffline(true);
  await expect(ada.light).toHaveText("Reconnecting");
  await service.offers(orderId, "9.00");
  await ada.page.context().setOffline(false);
  await expect(ada.center.getByRole("article", { name: "Farid offers $9.00 back" })).toBeVisible({ timeout: 15_000 });
  await expect(ada.light).toHaveText("Live");
});

test("a countdown is the server's, whatever this computer's clock shows", async ({ service, sits, browser }) => {
  const orderId = await service.started("Portraits");
  await service.offers(orderId);
  const ada = await sits("Ada");
  await ada.page.addInitScript(() => {
    const Real = Date;
    const shift = 5 * 3_600_000;
    globalThis.Date = class extends Real {
      constructor(...given: [] | [number | string]) {
        if (given.length === 0) super(Real.now() + shift);
        else super(given[0]);
      }
      static override now() {
        return Real.now() + shift;
      }
    } as DateConstructor;
  });
  await ada.opens(orderId);
  await expect(ada.center.getByRole("timer")).toContainText("1 day 23 hr to answer");
  expect(browser.isConnected()).toBe(true);
});

test("two tabs of one person agree", async ({ service, sits }) => {
  const orderId = await service.started("Van lettering");
  await service.offers(orderId);
  const [one, other] = await Promise.all([sits("Ada"), sits("Ada", { path: "/inbox" })]);
  await one.opens(orderId);
  await expect(other.page.getByRole("link", { name: "Answer: Van lettering" })).toBeVisible();
  await one.center.getByRole("button", { name: "Accept" }).click();
  await expect(other.page.getByRole("link", { name: "Answer: Van lettering" })).toHaveCount(0);
});

test("the dashboard moves by itself", async ({ service, sits }) => {
  const orderId = await service.started("Chess crest");
  const [ada, sol] = await Promise.all([sits("Ada", { path: "/dashboard" }), sits("Sol", { path: "/dashboard" })]);
  const waiting = ada.page.locator('[data-figure="Wait for your answer"] .figure-number');
  const refunds = sol.page.locator('[data-row="PARTIAL_REFUND"] dd .number');
  const [before, all] = [Number(await waiting.textContent()), Number(await refunds.textContent())];
  const chart = ada.page.getByRole("img", { name: /events? in the last/ });
  await expect(chart).not.toHaveAttribute("aria-label", /^0 events/);
  const events = Number.parseInt((await chart.getAttribute("aria-label")) ?? "", 10);
  await service.offers(orderId);
  await expect(waiting).toHaveText(String(before + 1));
  await expect(refunds).toHaveText(String(all + 1));
  await expect(ada.page.getByRole("region", { name: "What happened last" })).toContainText("Farid offered $20.00 back");
  await expect(chart).toHaveAttribute("aria-label", new RegExp(`^${String(events + 1)} events`));
});

test("an endless list: read on at the end, true at the top", async ({ service, sits }) => {
  const given = { clientSubject: "client-2", freelancerSubject: "freelancer-2" };
  for (let number = 1; number <= 60; number++) await service.places(`Endless ${String(number)}`, given);
  const bela = await sits("Bela");
  const rows = bela.page.locator(".order-row[data-reference]");
  await expect(rows).toHaveCount(25);
  await bela.page.mouse.move(400, 500);
  await expect(async () => {
    await bela.page.mouse.wheel(0, 4000);
    await expect(rows).toHaveCount(60, { timeout: 500 });
  }).toPass();
  await service.places("Endless, and one more", given);
  await expect(rows.first()).toContainText("Endless, and one more");
  await expect(async () => {
    await bela.page.mouse.wheel(0, 4000);
    await expect(rows).toHaveCount(61, { timeout: 500 });
  }).toPass();
  expect(new Set(await rows.evaluateAll((all) => all.map((row) => row.getAttribute("data-reference")))).size).toBe(61);

  await bela.page.getByRole("searchbox").fill("endless 17");
  await expect(rows).toHaveCount(1);
  await bela.page.getByRole("searchbox").fill("");
  await bela.page.getByRole("button", { name: /Status/ }).click();
  await bela.page.getByRole("option", { name: "Completed" }).click();
  await expect(bela.page.getByText("No order fits.")).toBeVisible();
});
