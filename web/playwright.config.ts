// The tests in a real browser: Debian's Chromium, or the one that CHROMIUM names. Nothing is downloaded.
import { defineConfig } from "@playwright/test";

export const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export default defineConfig({
  testDir: "e2e",
  fullyParallel: false,
  workers: 2,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
  outputDir: "node_modules/.tmp/e2e",
  use: {
    browserName: "chromium",
    launchOptions: { executablePath: CHROMIUM, args: QUIET },
    locale: "en-US",
    timezoneId: "Europe/Vienna",
    viewport: { width: 1280, height: 900 },
    screenshot: "only-on-failure",
  },
});
