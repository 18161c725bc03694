// The story of an order with more events than one page: read on at the end, by keyboard, without a gap or a jump.
import type { Service } from "./server";
import { expect, test, type Window } from "./world";

test("250 events: the earlier ones come on demand, the focus where reading goes on, and nothing jumps", async ({ service, sits }) => {
  test.slow();
  const orderId = await service.started("A long story"); // two events
  await asksAndWithdraws(service, orderId, 124);
  const ada = await sits("Ada");
  const { page } = ada;
  await page.addInitScript(() => {
    const measured = { shift: 0 };
    Object.assign(globalThis, { measured });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) measured.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  await ada.opens(orderId);
  const more = ada.timeline.getByRole("button", { name: "Earlier events" });
  await expect(more).toBeVisible();
  expect(await sequences(ada)).toEqual(downFrom(250, 201));
  await expect(ada.timeline).toContainText("50 of 250 shown");

  for (const [first, last] of [[200, 101], [100, 1]] as const) {
    await more.focus();
    const before = await page.evaluate(() => scrollY);
    await page.keyboard.press("Enter");
    await expect(event(ada, first)).toBeFocused();
    await expect(event(ada, first)).toBeInViewport();
    expect(await sequences(ada)).toEqual(downFrom(250, last));
    expect(await page.evaluate(() => scrollY), "what is read stays where it is").toBe(before);
  }
  await expect(more).toHaveCount(0);
  await expect(ada.timeline).toContainText("All 250 shown");
  expect(await page.evaluate(() => (globalThis as unknown as { measured: { shift: number } }).measured.shift)).toBeLessThan(0.02);

  await service.offers(orderId); // what happens now comes on top, and what was read stays
  await expect(event(ada, 251)).toContainText("Farid offered $20.00 back");
  expect(await sequences(ada)).toEqual(downFrom(251, 1));
  await expect(event(ada, 101)).toContainText(/You (asked for an update|withdrew the request)/);
});

test("away for longer than a page: no event is missing in between", async ({ service, sits }) => {
  test.slow();
  const orderId = await service.started("A longer story");
  await asksAndWithdraws(service, orderId, 30);
  const ada = await sits("Ada", { tolerates: /ERR_|WebSocket/ });
  await ada.opens(orderId);
  await expect(ada.light).toHaveText("Live");
  expect(await sequences(ada)).toEqual(downFrom(62, 13));
  await ada.page.context().setOffline(true);
  await asksAndWithdraws(service, orderId, 40);
  await ada.page.context().setOffline(false);
  await expect(event(ada, 142)).toBeVisible({ timeout: 15_000 });
  await expect(ada.timeline).toContainText("50 of 142 shown");
  await expect.poll(() => sequences(ada)).toEqual(downFrom(142, 93));
  await ada.timeline.getByRole("button", { name: "Earlier events" }).click();
  await expect(ada.timeline).toContainText("All 142 shown");
  expect(await sequences(ada)).toEqual(downFrom(142, 1));
});

async function asksAndWithdraws(service: Service, orderId: string, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const requestId = await service.does("Ada", "requestOrderUpdate", { orderId, explanation: `Question ${String(time)}` });
    await service.does("Ada", "withdrawRequest", { requestId });
  }
}

function event(window: Window, sequence: number) {
  return window.timeline.locator(`[data-sequence="${String(sequence)}"]`);
}

async function sequences(window: Window): Promise<number[]> {
  return window.timeline.locator("[data-sequence]").evaluateAll((all) => all.map((one) => Number(one.getAttribute("data-sequence"))));
}

function downFrom(newest: number, earliest: number): number[] {
  return Array.from({ length: newest - earliest + 1 }, (_, index) => newest - index);
}
