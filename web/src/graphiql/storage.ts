// What GraphiQL may keep in this browser: tabs and history, without their headers. Its history would keep the token
// otherwise, even where it is told not to persist headers.
import type { Storage } from "@graphiql/toolkit";

export const storage: Storage = {
  get length() {
    return localStorage.length;
  },
  clear: () => {
    localStorage.clear();
  },
  getItem: (key) => localStorage.getItem(key),
  removeItem: (key) => {
    localStorage.removeItem(key);
  },
  setItem: (key, value) => {
    if (!/headers/i.test(key)) localStorage.setItem(key, withoutHeaders(value));
  },
};

export function withoutHeaders(value: string): string {
  if (!value.includes("headers")) return value;
  try {
    return JSON.stringify(JSON.parse(value, (name, held: unknown) => (name === "headers" ? undefined : held)));
  } catch {
    return value; // not JSON: the text of a query that has the word in it
  }
}
