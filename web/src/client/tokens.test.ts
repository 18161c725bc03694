import { expect, test } from "vitest";
import { lifeOf, Tokens } from "./tokens";

function maker(life: number) {
  let made = 0;
  return {
    tokens: new Tokens(() => Promise.resolve({ value: `token ${String(++made)}`, endsAt: Date.now() + life })),
    count: () => made,
  };
}

test("a token that is good for a while is kept, however many ask", async () => {
  const { tokens, count } = maker(3_600_000);
  const asked = await Promise.all([tokens.current(), tokens.current(), tokens.current()]);
  expect(new Set([...asked, await tokens.current()])).toEqual(new Set(["token 1"]));
  expect(count()).toBe(1);
});

test("one that ends soon is renewed before", async () => {
  const { tokens } = maker(20_000);
  expect(await tokens.current()).toBe("token 1");
  expect(await tokens.current()).toBe("token 2");
});

test("one that the server refused is not used again", async () => {
  const { tokens } = maker(3_600_000);
  await tokens.current();
  tokens.forget();
  expect(await tokens.current()).toBe("token 2");
});

test("a renewal that failed is tried anew by who asks next", async () => {
  let tries = 0;
  const tokens = new Tokens(() => {
    tries += 1;
    return tries === 1 ? Promise.reject(new Error("away")) : Promise.resolve({ value: "ok", endsAt: Date.now() + 60_000 });
  });
  await expect(tokens.current()).rejects.toThrow("away");
  expect(await tokens.current()).toBe("ok");
});

test("how long a token lives is what it says, whatever this computer's clock shows", () => {
  const claims = { iat: 1_000, exp: 4_600 };
  const token = `x.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.x`;
  expect(lifeOf(token) - Date.now()).toBeCloseTo(3_600_000, -3);
});
