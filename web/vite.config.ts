// How the app and GraphiQL are built: two pages, each with its own first load.
import optimizeLocales from "@react-aria/optimize-locales-plugin";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { graphiqlMended } from "./scripts/graphiql-mended.ts";
import { manifest } from "./scripts/manifest.ts";

const SERVER = process.env["RESOLUTION_SERVER"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [
    react(),
    graphiqlMended(),
    manifest(),
    // The app's words are English; numbers, amounts and dates follow the browser through Intl all the same.
    { ...optimizeLocales.vite({ locales: ["en-US"] }), enforce: "pre" },
  ],
  build: {
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false },
    // Nothing is put into the page as a data: address: the policy of the pages allows none for scripts and styles.
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: "index.html", graphiql: "graphiql.html" } },
    chunkSizeWarningLimit: 5000,
  },
  server: {
    proxy: {
      "/graphql": { target: SERVER, ws: true, changeOrigin: true },
      "/config.json": { target: SERVER, changeOrigin: true },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
