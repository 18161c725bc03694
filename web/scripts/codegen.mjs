// Types every operation of src/operations.graphql from ../schema.graphql into src/generated/. With --check it writes
// nothing and fails when what lies there is stale.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { codegen } from "@graphql-codegen/core";
import { preset } from "@graphql-codegen/client-preset";
import * as fragmentMatcher from "@graphql-codegen/fragment-matcher";
import { buildSchema, parse, printSchema } from "graphql";

const WEB = path.resolve(import.meta.dirname, "..");
const OUT = path.join(WEB, "src/generated/");
const OPERATIONS = path.join(WEB, "src/operations.graphql");
const HEAD = "// Made by `npm run codegen` from schema.graphql and src/operations.graphql. Not to be edited.\n";

const CONFIG = {
  enumsAsTypes: true,
  useTypeImports: true,
  defaultScalarType: "unknown",
  nonOptionalTypename: true,
  skipTypeNameForRoot: true,
  scalars: { ID: "string", DateTime: "string", Decimal: "string", CurrencyCode: "string" },
};

async function made() {
  const schemaAst = buildSchema(await readFile(path.join(WEB, "../schema.graphql"), "utf8"));
  const schema = parse(printSchema(schemaAst));
  const text = await readFile(OPERATIONS, "utf8");
  const documents = [{ location: OPERATIONS, document: parse(text), rawSDL: text }];
  const outputs = await preset.buildGeneratesSection({
    baseOutputDir: OUT,
    presetConfig: { fragmentMasking: false },
    schema,
    schemaAst,
    documents,
    config: CONFIG,
    plugins: [],
    pluginMap: {},
  });
  const files = new Map();
  for (const output of outputs) {
    const name = path.basename(output.filename);
    // Operations are imported by name, so that each page carries only its own: the tag function is left out.
    if (name === "graphql.ts") files.set(name, HEAD + withSharedFragments(await codegen(output)));
  }
  const possibleTypes = await codegen({
    filename: "possible-types.ts",
    schema,
    schemaAst,
    documents: [],
    config: { useExplicitTyping: true },
    plugins: [{ matcher: {} }],
    pluginMap: { matcher: fragmentMatcher },
  });
  files.set("possible-types.ts", HEAD + possibleTypes);
  return files;
}

/** The preset writes each fragment into every document that uses it, ten times over: here each stands once. */
function withSharedFragments(text) {
  const fragments = new Map();
  const documents = text.replaceAll(/^export const (\w+) = (\{.*\}) as unknown as (.*);$/gm, (_, name, json, type) => {
    const definitions = JSON.parse(json).definitions.map((definition) => {
      if (definition.kind !== "FragmentDefinition") return JSON.stringify(definition);
      const shared = `${definition.name.value}Shared`;
      fragments.set(shared, JSON.stringify(definition));
      return shared;
    });
    return `export const ${name} = {"kind":"Document","definitions":[${definitions.join(",")}]} as unknown as ${type};`;
  });
  const shared = [...fragments].map(([name, definition]) => `const ${name} = ${definition};`).join("\n");
  return documents.replace("export const ", () => `${shared}\nexport const `);
}

const files = await made();
const stale = [];
for (const [name, content] of files) {
  const file = path.join(OUT, name);
  const text = `${content.trimEnd()}\n`;
  const found = await readFile(file, "utf8").catch(() => "");
  if (found === text) continue;
  stale.push(name);
  if (!process.argv.includes("--check")) {
    await mkdir(OUT, { recursive: true });
    await writeFile(file, text);
  }
}
if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`Stale: src/generated/${stale.join(", src/generated/")}. Run \`npm run codegen\` in web/ and commit it.`);
  process.exitCode = 1;
}
