// Is every snippet of docs/frontend.md still what the app's own code says? `--write` puts in what it says now.
// A snippet stands under a line like <!-- web/src/client/follow.ts#follow -->, which names a file and one of its regions.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../..");
const PAGE = path.join(ROOT, "docs/frontend.md");
const SNIPPET = /<!-- ([\w./-]+)#(\w+) -->\n```(\w+)\n([\s\S]*?)```/g;

async function region(file, name) {
  const lines = (await readFile(path.join(ROOT, file), "utf8")).split("\n");
  const start = lines.findIndex((line) => new RegExp(`^(//|#) #region ${name}$`).test(line.trim()));
  const end = lines.findIndex((line, number) => number > start && /^(\/\/|#) #endregion/.test(line.trim()));
  if (start < 0 || end < 0) throw new Error(`${file} has no region ${name}.`);
  return `${lines.slice(start + 1, end).join("\n")}\n`;
}

const text = await readFile(PAGE, "utf8");
const snippets = [...text.matchAll(SNIPPET)];
const fences = text.match(/^```\w+$/gm) ?? [];
let fresh = text;
const stale = [];
for (const [whole, file, name, language, content] of snippets) {
  const said = await region(file, name);
  if (said === content) continue;
  stale.push(`${file}#${name}`);
  fresh = fresh.replace(whole, () => `<!-- ${file}#${name} -->\n\`\`\`${language}\n${said}\`\`\``);
}
if (fences.length !== snippets.length) throw new Error("docs/frontend.md has a snippet that does not say where it is from.");
if (process.argv.includes("--write")) await writeFile(PAGE, fresh);
else if (stale.length > 0) {
  console.error(`docs/frontend.md is stale: ${stale.join(", ")}. Run \`npm run snippets\` in web/.`);
  process.exitCode = 1;
}
