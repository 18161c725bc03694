// Drives GraphiQL's page as two people would, and prints what they saw as JSON. Told what to do by its first argument.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { chromium } from "playwright-core";

const PACKAGES = path.join(import.meta.dirname, "node_modules");
const TYPES = { ".js": "text/javascript", ".css": "text/css" };
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const QUERY = "query($id: ID!) { order(id: $id) { reference status viewerRole } }";
const OFFER = `mutation($input: OfferPartialRefundInput!) { offerPartialRefund(input: $input) {
  request { status amount { amount currencyCode } } userErrors { code message } } }`;
const WATCH = `subscription($id: ID!) { orderEvents(orderId: $id) {
  sequence kind actor { name } request { status } } }`;

const task = JSON.parse(process.argv[2]);
const complaints = [];

async function main() {
  const browser = await chromium.launchPersistentContext(task.profile, {
    executablePath: task.chromium,
    headless: true,
    args: FLAGS,
  });
  browser.setDefaultTimeout(20_000);
  await browser.route("https://unpkg.com/**", fromPackages);
  try {
    process.stdout.write(JSON.stringify({ ...(await settle(browser)), complaints }));
  } catch (error) {
    for (const [number, page] of browser.pages().entries()) await page.screenshot({ path: picture(`failed-${number}`) });
    throw new Error(`${error}; the console said: ${complaints.join("; ") || "nothing"}`);
  } finally {
    await browser.close();
  }
}

function picture(name) {
  return path.join(task.pictures, `${name}.png`);
}

/** Ada watches her order in one window while Farid asks and offers in the other. */
async function settle(browser) {
  const ada = await opened(browser, WATCH, { id: task.order });
  const documentation = await readDocumentation(ada);
  const refusal = await run(ada, "errors");
  await typeHeaders(ada, task.ada);
  const watching = sent(ada, "subscribe");
  await execute(ada);
  await watching;

  const farid = await opened(browser, QUERY, { id: task.order });
  await typeHeaders(farid, task.farid);
  const query = await run(farid, "reference");
  await type(farid, "Query Editor", OFFER);
  await type(farid, "Variables", JSON.stringify({ input: task.offer }));
  const mutation = await run(farid, "offerPartialRefund");

  const event = await answer(ada, "REQUEST_OPENED");
  await ada.screenshot({ path: picture("subscription") });
  await farid.screenshot({ path: picture("mutation") });
  const kept = [await everythingKept(ada), await everythingKept(farid)];
  await farid.reload();
  await farid.waitForSelector(".graphiql-execute-button");
  const headersAfterReload = await editorText(farid, "Headers");
  return { documentation, refusal, query, mutation, event, kept, headersAfterReload };
}

/** What the page asks its CDN for, from the pinned packages. Its integrity hashes must match these files. */
async function fromPackages(route) {
  const [, name, file] = new URL(route.request().url()).pathname.match(/^\/((?:@[^/]+\/)?[^@/]+)@[^/]+\/(.+)$/);
  const body = await readFile(path.join(PACKAGES, name, file));
  const headers = { "access-control-allow-origin": "*", "content-type": TYPES[path.extname(file)] };
  await route.fulfill({ body, headers });
}

async function opened(browser, query, variables) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  const parameters = new URLSearchParams({ q: query, variables: JSON.stringify(variables) });
  await page.goto(`${task.url}/graphiql?${String(parameters).replaceAll("+", "%20")}`);
  await page.waitForSelector(".graphiql-execute-button");
  return page;
}

/** The names of the root types: they are there once introspection has been read. */
async function readDocumentation(page) {
  await page.click("button[aria-label='Show Documentation Explorer']");
  await page.waitForSelector(".graphiql-doc-explorer-type-name");
  const found = await page.$$eval(".graphiql-doc-explorer-type-name", (links) => links.map((link) => link.textContent));
  await page.click("button[aria-label='Hide Documentation Explorer']");
  return found;
}

function typeHeaders(page, token) {
  return type(page, "Headers", JSON.stringify({ Authorization: `Bearer ${token}` }));
}

async function type(page, label, text) {
  await page.click(await editor(page, label));
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(text);
}

async function editorText(page, label) {
  return page.$eval(await editor(page, label), (element) => element.CodeMirror.getValue());
}

/** The editor of this name, brought to the front: variables and headers share a place. */
async function editor(page, label) {
  const tab = page.locator(`.graphiql-editor-tools button:text-is("${label}")`);
  if (await tab.count()) await tab.click();
  return `section[aria-label="${label}"] .CodeMirror:visible`;
}

async function execute(page) {
  await page.click(".graphiql-execute-button");
}

async function run(page, expected) {
  await execute(page);
  return answer(page, expected);
}

/** The answer that is shown, once it holds what is expected. */
async function answer(page, expected) {
  const shown = await page.waitForFunction((text) => {
    const shown = document.querySelector("section[aria-label='Result Window'] .CodeMirror")?.CodeMirror.getValue();
    return shown?.includes(text) && shown;
  }, expected);
  return JSON.parse(await shown.jsonValue());
}

/** Until the page has sent a message of this type over a socket. */
async function sent(page, type) {
  const socket = await page.waitForEvent("websocket");
  await socket.waitForEvent("framesent", ({ payload }) => JSON.parse(payload).type === type);
}

/** Whatever the page leaves behind for whoever comes next. */
function everythingKept(page) {
  return page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
}

await main();
