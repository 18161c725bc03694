// The other ways to end: declined, withdrawn, expired, refused; and what protects a click from counting twice.
import { expect, test } from "./world";

test("a declined offer comes back with the words of who declined", async ({ service, sits }) => {
  const orderId = await service.started("Jingle");
  await service.offers(orderId);
  const [ada, farid] = await Promise.all([sits("Ada"), sits("Farid")]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);
  const card = ada.center.getByRole("article", { name: "Farid offers $20.00 back" });
  await card.getByRole("button", { name: "Decline" }).click();
  await card.getByLabel("Why").fill("I would rather have it right.");
  await card.getByRole("button", { name: "Decline" }).click();
  await expect(farid.timeline).toContainText("Ada declined the partial refund");
  await expect(farid.timeline).toContainText("I would rather have it right.");
  await expect(farid.center.getByRole("button", { name: "Offer a partial refund" })).toBeVisible();
});

test("a withdrawn offer is gone from both screens", async ({ service, sits }) => {
  const orderId = await service.started("Poster");
  await service.offers(orderId);
  const [ada, farid] = await Promise.all([sits("Ada"), sits("Farid")]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);
  await expect(ada.center.getByRole("article")).toHaveCount(1);
  await farid.center.getByRole("button", { name: "Withdraw" }).click();
  await expect(farid.center.getByRole("article")).toHaveCount(0);
  await expect(ada.center.getByRole("article")).toHaveCount(0);
  await expect(ada.notices).toContainText("Farid withdrew the partial refund");
});

test("what was shown as done is taken back on screen when the server refuses", async ({ service, sits }) => {
  const orderId = await service.started("Banner");
  await service.offers(orderId);
  const farid = await sits("Farid");
  await farid.opens(orderId);
  let gone = () => Promise.resolve();
  await farid.page.route("**/graphql", async (route) => {
    if (!route.request().postData()?.includes("withdrawRequest")) return route.fallback();
    await gone();
    await route.fulfill({
      json: {
        data: {
          withdrawRequest: {
            __typename: "WithdrawRequestPayload",
            request: null,
            userErrors: [{ __typename: "UserError", code: "REQUEST_SETTLED", message: "This request was accepted already.", path: ["requestId"] }],
          },
        },
      },
    });
  });
  const card = farid.center.getByRole("article");
  gone = () => expect(card).toHaveCount(0);
  await card.getByRole("button", { name: "Withdraw" }).click();
  await expect(farid.notices).toContainText("Withdraw: not done. This request was accepted already.");
  await expect(card).toHaveCount(1);
});

test("a click whose answer got lost does nothing twice", async ({ service, sits }) => {
  const orderId = await service.started("Newsletter");
  const ada = await sits("Ada", { tolerates: /ERR_FAILED|Failed to load/ });
  await ada.opens(orderId);
  let lost = 0;
  await ada.page.route("**/graphql", async (route) => {
    if (!route.request().postData()?.includes("requestOrderUpdate") || lost > 0) return route.fallback();
    lost += 1;
    await route.fetch(); // the server did it
    await route.abort(); // and nobody heard
  });
  // The stream would tell the page what was done: it is the retry that is looked at here.
  await ada.center.getByRole("button", { name: "Get an order update" }).click();
  const form = ada.page.getByRole("form", { name: "Get an order update" });
  await form.getByLabel("Why you need the update").fill("How far is it?");
  await form.getByRole("button", { name: "Send request" }).click();
  await expect(form).toContainText("nothing is done twice");
  const events = await service.ask("Ada", "query($id: ID!) { order(id: $id) { version } }", { id: orderId });
  expect(events).toEqual({ order: { version: 3 } });
});

test("expiry and silent consent are seen live, without reload", async ({ another, sits }) => {
  const quick = await another({}, QUICK);
  const [expiring, cancelling] = await Promise.all([quick.started("Expires"), quick.started("Cancels")]);
  const [ada, farid] = await Promise.all([sits("Ada", { at: quick.url }), sits("Farid", { at: quick.url })]);
  await Promise.all([ada.opens(expiring), farid.opens(cancelling)]);
  await quick.offers(expiring);
  await quick.does("Ada", "askFreelancerToCancel", {
    orderId: cancelling,
    feedback: "Not needed any more.",
    confidentialReason: "NO_LONGER_NEEDED",
  });
  await expect(ada.center.getByRole("timer")).toContainText(/\d sec/);
  await expect(ada.timeline).toContainText("Nobody answered in time: the partial refund expired", { timeout: 12_000 });
  await expect(ada.center.getByRole("article")).toHaveCount(0);
  await expect(farid.page.locator(".order-marks")).toContainText("Cancelled", { timeout: 12_000 });
  await expect(farid.timeline).toContainText("silence accepted the cancellation");
});

/** 6 seconds to answer. */
const QUICK = `[requests.PARTIAL_REFUND]
window_hours = 0.00167
[requests.CANCELLATION]
window_hours = 0.00167
[reminders]
hours = []
`;

test("support decides, and both sides read why", async ({ service, sits }) => {
  const orderId = await service.started("Shelf labels");
  await service.offers(orderId);
  const [ada, farid, sol] = await Promise.all([sits("Ada"), sits("Farid"), sits("Sol", { path: "/support" })]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);
  await ada.center.getByRole("button", { name: "Contact us" }).click();
  await ada.page.getByLabel("What went wrong").fill("We are stuck.");
  await ada.page.getByRole("button", { name: "Send to support" }).click();
  await expect(farid.center).toContainText("Support has this order");
  await expect(farid.page.getByRole("region", { name: "Support" })).toContainText("We are stuck.");
  await expect(farid.center.getByRole("article")).toContainText("standing still while support has the order");

  await sol.page.locator(".case", { hasText: "Shelf labels" }).click();
  const desk = sol.page.getByRole("article", { name: "Shelf labels" });
  await expect(desk).toContainText("We are stuck.");
  await expect(desk.getByRole("region", { name: "Asked by Farid" })).toContainText("The delivery is late"); // the private reason
  const form = sol.page.getByRole("form", { name: "Decide" });
  await form.getByRole("button", { name: "Decide" }).click();
  await expect(form).toContainText("Choose what becomes of the order.");
  await form.getByRole("button", { name: /Decision/ }).click();
  await sol.page.getByRole("option", { name: /Refund a part/ }).click();
  await form.getByLabel("Goes back to the client").fill("12.00");
  await form.getByLabel("Why").fill("Twelve for the print; the rest stands.");
  await form.getByRole("button", { name: "Decide" }).click();
  for (const window of [ada, farid]) {
    await expect(window.page.getByRole("region", { name: "Support" })).toContainText("Twelve for the print; the rest stands.");
  }
});
