// What every test starts with: a server, and people at windows of their own. A console error fails the test.
import { test as base, expect, type Browser, type BrowserContextOptions, type Locator, type Page } from "@playwright/test";
import { existsSync } from "node:fs";
import path from "node:path";
import { PEOPLE, Service, type Name } from "./server";

export { expect };

export interface Window {
  page: Page;
  /** Every byte of text that this window got: HTTP bodies and WebSocket frames. */
  heard: () => Promise<string>;
  opens: (orderId: string) => Promise<void>;
  /** Of the order page: the panel on the right side. */
  center: Locator;
  notices: Locator;
  timeline: Locator;
  light: Locator;
}

export interface Options extends BrowserContextOptions {
  at?: string;
  path?: string;
  /** Console errors that the test brings about itself. */
  tolerates?: RegExp;
}

interface World {
  /** One more server, with settings or a policy of its own. */
  another: (settings?: Record<string, string>, policy?: string) => Promise<Service>;
  sits: (name: Name, options?: Options) => Promise<Window>;
}

if (!existsSync(path.resolve(import.meta.dirname, "../dist/index.html"))) throw new Error("web/dist is not built: make web");

export const test = base.extend<World, { service: Service }>({
  service: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const service = await new Service().start();
      await use(service);
      await service.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  // eslint-disable-next-line no-empty-pattern
  another: async ({}, use) => {
    const started: Service[] = [];
    await use(async (settings, policy) => {
      const one = await new Service().start(settings, policy);
      started.push(one);
      return one;
    });
    for (const one of started) await one.stop();
  },
  // Windows are closed before the servers that they look at: so it asks for `another`.
  sits: async ({ browser, service, another }, use) => {
    expect(another).toBeDefined();
    const complaints: string[] = [];
    const closing: (() => Promise<void>)[] = [];
    await use(async (name, options = {}) => {
      const { window, close } = await sit(browser, options.at ?? service.url, name, options, complaints);
      closing.push(close);
      return window;
    });
    for (const close of closing) await close();
    expect(complaints, "the console must stay silent").toEqual([]);
  },
});

async function sit(browser: Browser, url: string, name: Name, options: Options, complaints: string[]) {
  const { path: start = "/orders", tolerates, ...rest } = options;
  const context = await browser.newContext({ baseURL: url, ...rest });
  await context.addInitScript((subject) => {
    sessionStorage.setItem("resolution-center.person", subject);
  }, PEOPLE[name].sub);
  const page = await context.newPage();
  const heard = listen(page);
  complain(page, name, complaints, tolerates);
  await page.goto(start);
  const window: Window = {
    page,
    heard,
    opens: async (orderId) => {
      await page.goto(`/orders/${encodeURIComponent(orderId)}`);
      await expect(page.getByRole("complementary", { name: "Resolution Center" })).toBeVisible();
    },
    center: page.getByRole("complementary", { name: "Resolution Center" }),
    notices: page.getByRole("region", { name: /Notices/ }),
    timeline: page.getByRole("region", { name: "What happened" }),
    light: page.locator(".light"),
  };
  return { window, close: () => context.close() };
}

export function complain(page: Page, name: string, complaints: string[], tolerates?: RegExp): void {
  page.on("pageerror", (error) => complaints.push(`${name}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !tolerates?.test(message.text())) complaints.push(`${name}: ${message.text()}`);
  });
}

export function listen(page: Page): () => Promise<string> {
  const bodies: Promise<string>[] = [];
  const frames: string[] = [];
  page.on("response", (response) => {
    if (/\.(woff2|ttf)$/.test(response.url())) return;
    bodies.push(response.text().catch(() => ""));
  });
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => frames.push(payload.toString()));
  });
  return async () => [...(await Promise.all(bodies)), ...frames].join("\n");
}

/** Chooses in one of our drop-downs. */
export async function choose(scope: Locator, label: string, option: string): Promise<void> {
  await scope.getByRole("button", { name: new RegExp(label) }).click();
  await scope.page().getByRole("option", { name: option }).click();
}

/** Which states the light showed, in their order. */
export async function collectLights(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const light = document.querySelector(".light");
    if (!light) throw new Error("There is no light.");
    const seen = [light.getAttribute("data-light")];
    Object.assign(globalThis, { lights: seen });
    new MutationObserver(() => {
      const now = light.getAttribute("data-light");
      if (now !== seen.at(-1)) seen.push(now);
    }).observe(light, { attributes: true });
  });
  return () => page.evaluate(() => (globalThis as unknown as { lights: string[] }).lights);
}
