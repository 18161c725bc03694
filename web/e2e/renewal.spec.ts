// A sign-in at an identity provider that is renewed while things happen: the stream loses nothing and repeats nothing.
import type { Page } from "@playwright/test";
import { Provider } from "./provider";
import type { Service } from "./server";
import { collectLights, complain, expect, test } from "./world";

const ROUNDS = 8;

test("by refresh token, while the other side acts: nothing lost, nothing twice, and the light says so", async ({ another, browser }) => {
  test.slow();
  const provider = await new Provider().start();
  const { page, heard, complaints, close } = await window(browser);
  try {
    const server = await another(provider.settings);
    const orderId = await signedIn(page, server, provider);
    const lights = await collectLights(page);
    await actsWhileRenewed(server, orderId, () => provider.renewed.byToken);
    await settles(page, provider, lights);
    expect(provider.renewed.inFrame).toBe(0);
    expect(heard()).toEqual(thenAll());
    expect(await sequences(page)).toEqual([...thenAll()].reverse().concat(2, 1));
    const seen = await lights();
    expect(seen).toContain("reconnecting");
    expect(seen.at(-1)).toBe("live");
    expect(await page.evaluate(() => "notReloaded" in globalThis)).toBe(true);
    expect(complaints).toEqual([]);
  } finally {
    await close();
    await provider.stop();
  }
});

test("in a hidden frame, where the provider gives no refresh token: the same", async ({ another, browser }) => {
  test.slow();
  const provider = await new Provider().start();
  provider.givesRefreshTokens = false;
  const { page, heard, complaints, close } = await window(browser);
  try {
    const server = await another(provider.settings);
    const orderId = await signedIn(page, server, provider);
    const lights = await collectLights(page);
    await actsWhileRenewed(server, orderId, () => provider.renewed.inFrame);
    await settles(page, provider, lights);
    expect(provider.renewed.byToken).toBe(0);
    expect(heard()).toEqual(thenAll());
    expect(await sequences(page)).toEqual([...thenAll()].reverse().concat(2, 1));
    const seen = await lights();
    expect(seen).toContain("reconnecting");
    expect(seen.at(-1)).toBe("live");
    expect(await page.evaluate(() => "notReloaded" in globalThis)).toBe(true);
    await expect(page.locator("iframe"), "no frame stays").toHaveCount(0);
    expect(complaints).toEqual([]);
  } finally {
    await close();
    await provider.stop();
  }
});

test("a session that has ended at the provider is told by the hidden frame", async ({ another, browser }) => {
  const provider = await new Provider().start();
  provider.givesRefreshTokens = false;
  const { page, complaints, close } = await window(browser);
  try {
    const server = await another(provider.settings);
    await signedIn(page, server, provider);
    provider.forgetEverybody();
    await expect(page.getByText("Your sign-in has ended. Please sign in again.")).toBeVisible({ timeout: 30_000 });
    expect(provider.renewed.inFrame).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  } finally {
    await close();
    await provider.stop();
  }
});

async function window(browser: import("@playwright/test").Browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  complain(page, "oidc", complaints);
  const sequencesHeard: number[] = [];
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const { payload: answer } = JSON.parse(payload.toString()) as { payload?: { data?: { viewerEvents?: { sequence?: number } } } };
      const sequence = answer?.data?.viewerEvents?.sequence;
      if (sequence !== undefined) sequencesHeard.push(sequence);
    });
  });
  return { page, complaints, heard: () => sequencesHeard, close: () => context.close() };
}

/** Ada, signed in at her provider, looks at an order; her tokens live for seconds, and a renewal takes a while. */
async function signedIn(page: Page, server: Service, provider: Provider): Promise<string> {
  server.signs = (claims) => provider.token(claims);
  provider.lives = 6;
  const orderId = await server.started("Renewed"); // two events
  await page.goto(`${server.url}/orders/${encodeURIComponent(orderId)}`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Renewed" })).toBeVisible({ timeout: 20_000 });
  await expect(page.locator(".light")).toHaveText("Live", { timeout: 20_000 });
  await page.evaluate(() => {
    Object.assign(globalThis, { notReloaded: true });
  });
  provider.pause = 900;
  return orderId;
}

/** Farid acts on and on, until Ada's sign-in was renewed a few times. */
async function actsWhileRenewed(server: Service, orderId: string, renewals: () => number): Promise<void> {
  const before = renewals();
  for (let round = 1; round <= ROUNDS; round++) {
    const requestId = await server.offers(orderId, `${String(round)}.00`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await server.does("Farid", "withdrawRequest", { requestId });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  expect(renewals()).toBeGreaterThan(before + 1);
}

/**
 * While things happened, a renewal that a query had begun may have been nearly done whenever a token ended: then the light
 * rightly said nothing. Now that all is quiet it takes its whole while. The last one gives a token that lasts, so that the
 * end can be looked at.
 */
async function settles(page: Page, provider: Provider, lights: () => Promise<string[]>): Promise<void> {
  await expect.poll(lights, { timeout: 30_000 }).toContain("reconnecting");
  provider.lives = 3600;
  provider.pause = 0;
  const last = page.locator(`[data-sequence="${String(2 + 2 * ROUNDS)}"]`);
  await expect(last).toBeVisible({ timeout: 30_000 });
  await page.waitForTimeout(7_000); // the last of the short tokens has ended by now
  await expect(page.locator(".light")).toHaveText("Live", { timeout: 30_000 });
}

/** What the stream must have brought: each event once, in its order. */
function thenAll(): number[] {
  return Array.from({ length: 2 * ROUNDS }, (_, index) => index + 3);
}

async function sequences(page: Page): Promise<number[]> {
  return page.locator("[data-sequence]").evaluateAll((all) => all.map((one) => Number(one.getAttribute("data-sequence"))));
}
