// How graphql-codegen's client preset makes types of the schema and of our operations.
import type { CodegenConfig } from "@graphql-codegen/cli";

// #region config
const config: CodegenConfig = {
  schema: "schema.graphql",
  documents: ["codegen/client.ts"],
  generates: {
    "codegen/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string",
        strictScalars: true,
        scalars: { CurrencyCode: "string", DateTime: "string", Decimal: "string" },
        useTypeImports: true,
        enumsAsTypes: true,
      },
    },
  },
  importExtension: ".js",
};
// #endregion

export default config;
