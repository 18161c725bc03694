// How much script the first load of each page takes, compressed; fails when the app's is over its budget.
import { readFile, stat } from "node:fs/promises";
import path from "node:path";

const DIST = path.resolve(import.meta.dirname, "../dist");
const BUDGET = 250_000;

async function load(page, ending) {
  const html = await readFile(path.join(DIST, page), "utf8");
  const scripts = new Set([...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(([, file]) => file));
  let bytes = 0;
  for (const script of scripts) bytes += (await stat(path.join(DIST, script + ending)).catch(() => stat(path.join(DIST, script)))).size;
  return bytes;
}

const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
for (const page of ["index.html", "graphiql.html"]) {
  console.log(`${page}: ${kB(await load(page, ".gz"))} of script with gzip, ${kB(await load(page, ".br"))} with brotli`);
}
if ((await load("index.html", ".gz")) > BUDGET) {
  console.error(`The first load of the app takes more than ${kB(BUDGET)} of compressed script.`);
  process.exitCode = 1;
}
