import { expect, test } from "vitest";
import { withoutHeaders } from "./storage";

test("whatever GraphiQL keeps, it keeps without headers", () => {
  const tabs = JSON.stringify({ tabs: [{ query: "{ a }", headers: '{"Authorization": "Bearer x"}', variables: "{}" }] });
  expect(JSON.parse(withoutHeaders(tabs))).toEqual({ tabs: [{ query: "{ a }", variables: "{}" }] });
  expect(withoutHeaders("{ headers }")).toBe("{ headers }");
});
