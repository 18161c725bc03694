// Pictures of the main pages for the README and docs, from a running server with the demo:
//   npm run screenshots -- http://127.0.0.1:8000
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { chromium } from "@playwright/test";

const SERVER = process.argv[2] ?? "http://127.0.0.1:8000";
const OUT = path.resolve(import.meta.dirname, "../../docs/images");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const LARGEST = 150_000;

const SUBJECTS = { Ada: "client-1", Bela: "client-2", Farid: "freelancer-1", Gita: "freelancer-2", Sol: "support-1" };

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
await mkdir(OUT, { recursive: true });

async function shoot(name, { person, scheme = "light", width = 1280, height = 800, go }) {
  const context = await browser.newContext({ baseURL: SERVER, viewport: { width, height }, colorScheme: scheme, locale: "en-US" });
  if (person) await context.addInitScript((subject) => sessionStorage.setItem("resolution-center.person", subject), SUBJECTS[person]);
  const page = await context.newPage();
  await go(page);
  await page.waitForTimeout(900);
  await page.mouse.move(0, 0);
  const file = path.join(OUT, `${name}.png`);
  await page.screenshot({ path: file });
  const { size } = await stat(file);
  console.log(`docs/images/${name}.png ${Math.round(size / 1000)} kB`);
  if (size > LARGEST) throw new Error(`${name}.png is larger than ${LARGEST / 1000} kB.`);
  await context.close();
}

const order = (reference) => async (page) => {
  await page.goto(`/orders?sort=newest`);
  await page.getByRole("searchbox").fill(reference);
  await page.waitForTimeout(700);
  await page.locator(`[data-reference=${reference}] a`).click();
  await page.getByRole("complementary", { name: "Resolution Center" }).waitFor();
};

await shoot("sign-in", { height: 720, go: (page) => page.goto("/sign-in") });
await shoot("orders", { person: "Ada", go: (page) => page.goto("/orders") });
await shoot("order-client", { person: "Ada", width: 1180, height: 800, go: order("DEMO-1003") });
await shoot("order-freelancer", {
  person: "Farid",
  scheme: "dark",
  width: 1180,
  height: 980,
  go: async (page) => {
    await order("DEMO-1010")(page);
    await page.getByRole("button", { name: "Offer a partial refund" }).click();
    await page.getByLabel("Refund amount").fill("25.00");
    await page.getByLabel("Explanation").fill("Trail 4 took longer than I said. This is for the week that you lost.");
    await page.getByRole("button", { name: /Reason/ }).click();
    await page.getByRole("option", { name: "The delivery is late" }).click();
  },
});
await shoot("inbox", { person: "Ada", height: 640, go: (page) => page.goto("/inbox") });
await shoot("dashboard", { person: "Sol", scheme: "dark", height: 980, go: (page) => page.goto("/dashboard") });
await shoot("support", { person: "Sol", height: 900, go: (page) => page.goto("/support") });
await shoot("order-narrow", { person: "Ada", width: 390, height: 844, go: order("DEMO-1003") });
await shoot("graphiql", {
  go: async (page) => {
    await page.goto("/graphiql");
    await page.locator(".graphiql-query-editor .view-line").first().waitFor();
    await page.waitForTimeout(1500);
    await page.locator(".graphiql-execute-button").click();
    await page.waitForTimeout(1200);
  },
});
await browser.close();
