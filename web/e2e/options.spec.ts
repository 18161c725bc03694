// The help page's four options, each from both sides to the end, on two screens at once.
import { choose, expect, test } from "./world";

const SECRET = "Between us: I forgot the storyboard";
/** Not the freelancer's own, which his pages may show from another order. */
const CLIENTS_SECRET = "Between us: it is not what I had in mind";

test("an offered partial refund: previewed, sent, seen at once, accepted, paid", async ({ service, sits }) => {
  const orderId = await service.started("Explainer video");
  const [ada, farid] = await Promise.all([sits("Ada"), sits("Farid")]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);
  await expect(ada.light).toHaveText("Live");

  await farid.center.getByRole("button", { name: "Offer a partial refund" }).click();
  const form = farid.page.getByRole("form", { name: "Offer a partial refund" });
  await expect(form).toContainText("Up to $84.00 of the $140.00 that was agreed.");
  await form.getByLabel("Refund amount").fill("30.50");
  await expect(form.getByTestId("preview"), "while it is typed").toContainText("Back to Ada$30.50");
  await form.getByLabel("Explanation").fill("The second draft came late.");
  await expect(form.getByTestId("preview")).toContainText("Back to Ada$30.50");
  await expect(form.getByTestId("preview")).toContainText("Left for you$109.50");
  await expect(form.getByTestId("preview")).toContainText("Ada has 48 hours to answer. Without an answer the offer expires and no money moves.");
  await choose(form, "Reason", "Something else");
  await expect(form.getByText("Private: never shown to Ada")).toHaveCount(2);
  await form.getByRole("button", { name: "Send offer" }).click();
  await expect(form.getByText("Please write a few words.")).toBeVisible(); // this reason needs a note
  await form.getByLabel("Note to the reason").fill(SECRET);
  await form.getByRole("button", { name: "Send offer" }).click();

  const card = ada.center.getByRole("article", { name: "Farid offers $30.50 back" });
  await expect(card).toBeVisible();
  await expect(ada.notices).toContainText("Farid offered $30.50 back");
  await expect(card).toContainText("The second draft came late.");
  await expect(card).toContainText("Without an answer the offer expires and no money moves.");
  await expect(card.getByRole("timer")).toContainText(/1 day 23 hr|2 days/);
  await expect(farid.center).toContainText(SECRET);
  await expect(farid.center.locator('[data-action="OFFER_PARTIAL_REFUND"]')).toContainText("pending already");

  await card.getByRole("button", { name: "Accept" }).click();
  await expect(farid.notices).toContainText("Ada accepted the partial refund");
  await expect(farid.timeline).toContainText("$30.50 went back to the client");
  await expect(ada.page.getByText("Went back", { exact: true })).toBeVisible();
  await expect(ada.center.getByRole("article")).toHaveCount(0);
  await expect(farid.center.locator('[data-action="OFFER_PARTIAL_REFUND"]')).toContainText("there can't be a second one");

  const heard = await ada.heard();
  expect(heard).toContain("The second draft came late.");
  expect(heard, "the private note is nowhere in what the client's browser got").not.toContain(SECRET);
  expect(await farid.heard()).toContain(SECRET);
});

test("the client is asked to cancel, and agrees", async ({ service, sits }) => {
  const orderId = await service.started("Voice-over");
  const [ada, farid] = await Promise.all([sits("Ada"), sits("Farid")]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);

  await farid.center.getByRole("button", { name: "Ask the client to cancel this order" }).click();
  const form = farid.page.getByRole("form", { name: "Ask the client to cancel this order" });
  await choose(form, "Reason", "I can't complete the project");
  await form.getByLabel("Personal note").fill("I have lost my voice.");
  await expect(form.getByTestId("preview")).toContainText("Back to Ada$140.00");
  await expect(form.getByTestId("preview")).toContainText("Ada has 48 hours to answer. Silence counts as consent: without an answer the order is cancelled.");
  await form.getByRole("button", { name: "Send request" }).click();

  const card = ada.center.getByRole("article", { name: "Farid wants to cancel the order" });
  await expect(card).toContainText("I can't complete the project");
  await expect(card).toContainText("I have lost my voice.");
  await expect(card).toContainText("Silence counts as consent: without an answer the order is cancelled.");
  await expect(card.getByTestId("preview")).toContainText("Back to you$140.00");
  await card.getByRole("button", { name: "Accept" }).click();
  await expect(ada.page.locator(".order-marks")).toContainText("Cancelled");
  await expect(farid.page.locator(".order-marks")).toContainText("Cancelled");
  await expect(farid.center).toContainText("The order has ended. Support can still help.");
  await expect(farid.center.getByRole("button", { name: "Contact us" })).toBeVisible();
});

test("the client gets an order update", async ({ service, sits }) => {
  const orderId = await service.started("Map of trails");
  const [ada, farid] = await Promise.all([sits("Ada"), sits("Farid")]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);

  await ada.center.getByRole("button", { name: "Get an order update" }).click();
  const form = ada.page.getByRole("form", { name: "Get an order update" });
  await expect(form).toContainText("Farid has 48 hours to answer. Without an answer the request expires and counts as unanswered.");
  await form.getByLabel("Why you need the update").fill("We open on Friday.");
  await form.getByRole("button", { name: "Send request" }).click();

  const card = farid.center.getByRole("article", { name: "Ada asks how the order goes" });
  await expect(card).toContainText("We open on Friday.");
  await expect(farid.page.getByTestId("inbox-badge")).not.toHaveText(/^0/);
  await card.getByRole("button", { name: "Answer" }).click();
  await card.getByLabel("Your answer").fill("Seven of nine trails are drawn.");
  await card.getByRole("button", { name: "Send answer" }).click();
  await expect(ada.timeline).toContainText("Seven of nine trails are drawn.");
  await expect(ada.notices).toContainText("Farid answered");
});

test("the freelancer is asked to cancel, and agrees; the private reason stays private", async ({ service, sits }) => {
  const orderId = await service.started("Translation of a cookbook");
  const [ada, farid] = await Promise.all([sits("Ada"), sits("Farid")]);
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);

  await ada.center.getByRole("button", { name: "Ask the freelancer to cancel this order" }).click();
  const form = ada.page.getByRole("form", { name: "Ask the freelancer to cancel this order" });
  await form.getByLabel("Feedback").fill("The publisher has moved the book.");
  await choose(form, "Reason", "It does not meet my expectations");
  await form.getByLabel("Note to the reason").fill(CLIENTS_SECRET);
  await form.getByRole("button", { name: "Send request" }).click();

  const card = farid.center.getByRole("article", { name: "Ada wants to cancel the order" });
  await expect(card).toContainText("The publisher has moved the book.");
  await expect(farid.page.getByText("It does not meet my expectations")).toHaveCount(0);
  await card.getByRole("button", { name: "Accept" }).click();
  await expect(ada.page.locator(".order-marks")).toContainText("Cancelled");

  await farid.page.goto("/inbox");
  await farid.page.goto("/dashboard");
  await farid.opens(orderId);
  const heard = await farid.heard();
  expect(heard).toContain("The publisher has moved the book.");
  expect(heard).not.toContain(CLIENTS_SECRET);
  expect(heard).not.toContain("EXPECTATIONS_NOT_MET");
});

test("what silence will do is the operator's policy, said before anything is sent", async ({ another, sits }) => {
  const policy = `
    [requests.PARTIAL_REFUND]
    window_hours = 12
    silence = "ACCEPT"
    [requests.DELIVERY_EXTENSION]
    window_hours = 120
    silence = "ESCALATE"
    [order]
    auto_complete_hours = 24
  `;
  const server = await another({}, policy);
  const orderId = await server.started("Shop sign");
  const farid = await sits("Farid", { at: server.url });
  await farid.opens(orderId);
  const says = async (action: string, sentence: string) => {
    await farid.page.getByRole("button", { name: action, exact: true }).first().click();
    await expect(farid.page.getByRole("form", { name: action })).toContainText(sentence);
  };
  await says("Offer a partial refund", "Ada has 12 hours to answer. Silence counts as consent: without an answer the refund is paid.");
  await says("Ask for more time", "Ada has 5 days to answer. Without an answer it goes to support.");
  await says("Deliver", "Ada has 24 hours to answer. Silence counts as consent: without an answer the order completes.");
  await server.does("Ada", "contactSupport", { orderId, message: "We are stuck." });
  await expect(farid.page.getByRole("form", { name: "Ask for more time" })).toContainText("That time starts when support has decided.");
});
