// Signing in: as one of the demo's people, or at an identity provider; and tokens that are renewed while one watches.
import type { WebSocketRoute } from "@playwright/test";
import { Provider } from "./provider";
import { complain, expect, test } from "./world";

test("in development one chooses who one is, for each window by itself", async ({ service, browser }) => {
  const complaints: string[] = [];
  const context = await browser.newContext({ baseURL: service.url });
  const [one, other] = [await context.newPage(), await context.newPage()];
  for (const page of [one, other]) complain(page, "demo", complaints);
  await one.goto("/");
  await one.getByRole("button", { name: /Ada/ }).click();
  await expect(one.getByRole("button", { name: "Ada menu" })).toBeVisible();
  await expect(one).toHaveURL(/\/orders$/);
  await other.goto("/");
  await other.getByRole("button", { name: /Sol/ }).click();
  await expect(other).toHaveURL(/\/support$/);
  await one.reload();
  await expect(one.getByRole("button", { name: "Ada menu" })).toBeVisible();

  await one.getByRole("button", { name: "Ada menu" }).click();
  await one.getByRole("menuitem", { name: "Be somebody else" }).or(one.getByRole("menuitemradio", { name: "Be somebody else" })).click();
  await expect(one.getByRole("button", { name: /Farid/ })).toBeVisible();
  await context.close();
  expect(complaints).toEqual([]);
});

test("one leaves while the line is being set up, and it then fails: nothing is complained of", async ({ sits }) => {
  const ada = await sits("Ada", { path: "/sign-in" });
  const opening: WebSocketRoute[] = [];
  await ada.page.routeWebSocket("**/graphql", (socket) => {
    opening.push(socket); // its first message is never answered
  });
  await ada.page.goto("/orders");
  await expect.poll(() => opening.length).toBeGreaterThan(0);
  await ada.page.getByRole("button", { name: "Ada menu" }).click();
  await ada.page.getByRole("menuitem", { name: "Be somebody else" }).or(ada.page.getByRole("menuitemradio", { name: "Be somebody else" })).click();
  await expect(ada.page.getByRole("button", { name: /Farid/ })).toBeVisible();
  for (const socket of opening) await socket.close({ code: 4400, reason: "Gone" });
  await ada.page.waitForTimeout(500);
});

test("a token that ends is renewed, and the stream goes on without a gap", async ({ service, sits }) => {
  const orderId = await service.started("Honey label");
  const ada = await sits("Ada", { path: "/sign-in" });
  let given = 0;
  await ada.page.route("**/config.json", async (route) => {
    const config = (await (await route.fetch()).json()) as { signIn: { people: { name: string; token: string }[] } };
    for (const person of config.signIn.people) if (person.name === "Ada") person.token = service.token("Ada", 4);
    given += 1;
    await route.fulfill({ json: config });
  });
  const sockets: number[] = [];
  ada.page.on("websocket", () => sockets.push(Date.now()));
  await ada.opens(orderId);
  await expect(ada.light).toHaveText("Live");
  const before = sockets.length;
  for (let number = 1; number <= 10; number++) {
    const requestId = await service.offers(orderId, `${String(number)}.00`);
    await service.does("Farid", "withdrawRequest", { requestId });
    await ada.page.waitForTimeout(800);
  }
  expect(sockets.length, "the server closed the socket with the token, more than once").toBeGreaterThan(before + 1);
  expect(given).toBeGreaterThan(2);
  await expect(ada.timeline.locator("[data-kind=REQUEST_WITHDRAWN]")).toHaveCount(10);
  await expect(ada.timeline.locator("[data-kind=REQUEST_OPENED]")).toHaveCount(10);
  await expect(ada.light).toHaveText("Live");
});

test("at an identity provider: code with PKCE, back to the page that was wanted, renewed, and ended", async ({ another, browser }) => {
  const provider = await new Provider().start();
  const complaints: string[] = [];
  const context = await browser.newContext();
  try {
    const server = await another(provider.settings);
    provider.lives = 5; // renewed by the refresh token, again and again
    const page = await context.newPage();
    complain(page, "oidc", complaints, /400 \(Bad Request\)/);
    await page.goto(`${server.url}/inbox`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(`${server.url}/inbox`);
    await expect(page.getByRole("button", { name: "Ada menu" })).toBeVisible();
    await expect(page.locator(".light")).toHaveText("Live");
    await expect(page.getByRole("heading", { level: 1, name: "Inbox" })).toBeVisible();
    await expect(page).toHaveURL(`${server.url}/inbox`);
    expect(provider.asked).toContain("/authorize");
    expect(page.url(), "no code and no token stays in the address").not.toMatch(/code|state|token/);

    const renewals = () => provider.asked.filter((path) => path === "/token").length;
    const first = renewals();
    await page.reload();
    await expect.poll(renewals, { timeout: 25_000 }).toBeGreaterThan(first + 1);
    await expect(page.locator(".light")).toHaveText("Live");

    provider.forgetEverybody();
    await expect(page.getByText("Your sign-in has ended. Please sign in again.")).toBeVisible({ timeout: 25_000 });
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
    await provider.stop();
  }
});

test("a sign-in that the provider refuses, or that nobody began here, is told, and can be tried again", async ({ another, browser }) => {
  const provider = await new Provider().start();
  const context = await browser.newContext();
  try {
    const server = await another(provider.settings);
    const page = await context.newPage();
    provider.forgetEverybody();
    provider.refusesAll = true;
    await page.goto(`${server.url}/inbox`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByText("The sign-in was not completed. Please try again.")).toBeVisible();
    await expect(page).toHaveURL(`${server.url}/sign-in`);
    await page.goto(`${server.url}/signed-in?code=stolen&state=unknown`);
    await expect(page.getByText("The sign-in was not completed. Please try again.")).toBeVisible();
    provider.refusesAll = false;
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("button", { name: "Ada menu" })).toBeVisible();
    await expect(page).toHaveURL(`${server.url}/orders`);
  } finally {
    await context.close();
    await provider.stop();
  }
});

test("a provider that can't be reached is told", async ({ another, browser }) => {
  const provider = await new Provider().start();
  const server = await another(provider.settings);
  await provider.stop();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("The sign-in page can't be reached at the moment.")).toBeVisible();
  await context.close();
});

test("without demo and provider the page says what is missing, and gives no token away", async ({ another, browser }) => {
  const server = await another({ RESOLUTION_ENVIRONMENT: "production" });
  const config = await (await fetch(`${server.url}/config.json`)).text();
  expect(JSON.parse(config)).toEqual({ environment: "production", graphiql: false, signIn: { kind: "none" } });
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.url);
  await expect(page.getByText("Nobody can sign in here yet")).toBeVisible();
  await context.close();
});
