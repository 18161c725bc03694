// A server that executes trusted documents only: the app goes on as ever, and what else is asked is refused, GraphiQL's too.
import { writeFile } from "node:fs/promises";
import { documentOf } from "./server";
import { choose, expect, test } from "./world";

test("where only trusted documents are executed, the app's own are among them", async ({ another, sits, browser }) => {
  const manifest = test.info().outputPath("manifest.json");
  const operators = ["placeOrder", "submitRequirements"].map((mutation) => [mutation, documentOf(mutation)]);
  await writeFile(manifest, JSON.stringify(Object.fromEntries(operators)));
  const server = await another({ RESOLUTION_TRUSTED_DOCUMENTS: manifest, RESOLUTION_TRUSTED_DOCUMENTS_ONLY: "true" });
  await expect(server.ask("Ada", "{ viewerScopes }")).rejects.toThrow("QUERY_NOT_IN_SAFELIST");

  const orderId = await server.started("Locked logo");
  const at = server.url;
  const [ada, farid, sol] = await Promise.all([sits("Ada", { at }), sits("Farid", { at }), sits("Sol", { at, path: "/support" })]);
  await expect(ada.page.getByRole("link", { name: /Locked logo/ })).toBeVisible();
  await Promise.all([ada.opens(orderId), farid.opens(orderId)]);
  await farid.center.getByRole("button", { name: "Offer a partial refund" }).click();
  const offer = farid.page.getByRole("form", { name: "Offer a partial refund" });
  await offer.getByLabel("Refund amount").fill("12.00");
  await expect(offer.getByTestId("preview")).toContainText("Back to Ada$12.00");
  await offer.getByLabel("Explanation").fill("It came late.");
  await choose(offer, "Reason", "The delivery is late");
  await offer.getByRole("button", { name: "Send offer" }).click();
  await ada.center.getByRole("article", { name: "Farid offers $12.00 back" }).getByRole("button", { name: "Accept" }).click();
  await expect(farid.timeline).toContainText("$12.00 went back to the client");

  await ada.center.getByRole("button", { name: "Contact us" }).click();
  await ada.page.getByLabel("What went wrong").fill("We are stuck.");
  await ada.page.getByRole("button", { name: "Send to support" }).click();
  await sol.page.locator(".case", { hasText: "Locked logo" }).click();
  await expect(sol.page.getByRole("article", { name: "Locked logo" })).toContainText("We are stuck.");

  for (const path of ["/inbox", "/dashboard", "/orders"]) {
    await farid.page.goto(path);
    await expect(farid.light).toHaveText("Live");
  }
  for (const window of [ada, farid, sol]) expect(await window.heard()).not.toContain('"errors"');

  const stranger = await browser.newPage({ baseURL: server.url });
  await stranger.goto("/graphiql");
  await expect(stranger.locator(".result-window")).toContainText("QUERY_NOT_IN_SAFELIST"); // what the schema is
  await stranger.close();
});
