// A small identity provider for the tests: discovery, authorization code with PKCE, refresh tokens, a key set.
import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const CLIENT = "resolution-web";
export const AUDIENCE = "resolution-center";

export class Provider {
  url = "";
  /** In seconds. */
  lives = 3600;
  /** How long a renewal takes, in milliseconds. */
  pause = 0;
  /** Without refresh tokens a session is renewed in a hidden frame. */
  givesRefreshTokens = true;
  /** Nobody may sign in. */
  refusesAll = false;
  /** How often a session was renewed. */
  readonly renewed = { byToken: 0, inFrame: 0 };
  readonly asked: string[] = [];
  private readonly keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  private readonly codes = new Map<string, { challenge: string; redirect: string; nonce: string | null }>();
  private readonly refreshing = new Set<string>();
  private isForgetful = false;
  private server: Server | undefined;

  async start(): Promise<this> {
    this.server = createServer((request, response) => {
      void this.answer(request, response);
    });
    await new Promise<void>((resolve) => this.server?.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
    return this;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  get settings(): Record<string, string> {
    return {
      RESOLUTION_OIDC_AUTHORITY: this.url,
      RESOLUTION_OIDC_CLIENT_ID: CLIENT,
      RESOLUTION_JWKS_URL: `${this.url}/keys`,
      RESOLUTION_JWT_ISSUER: this.url,
      RESOLUTION_JWT_AUDIENCE: AUDIENCE,
      RESOLUTION_JWT_LEEWAY_SECONDS: "0",
    };
  }

  /** From now on nobody's session is renewed. */
  forgetEverybody(): void {
    this.refreshing.clear();
    this.isForgetful = true;
  }

  /** A token of anybody, as this provider signs it. */
  token(claims: object): string {
    return this.sign({ ...claims, iss: this.url, aud: AUDIENCE });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    this.asked.push(url.pathname);
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*");
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        { json(response, {
          issuer: this.url,
          authorization_endpoint: `${this.url}/authorize`,
          token_endpoint: `${this.url}/token`,
          jwks_uri: `${this.url}/keys`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
        }); return; }
      case "/keys":
        { json(response, { keys: [{ ...this.keys.publicKey.export({ format: "jwk" }), kid: "one", alg: "RS256", use: "sig" }] }); return; }
      case "/authorize":
        { await this.authorize(url, response); return; }
      case "/token":
        if (request.method === "OPTIONS") { json(response, {}); return; }
        { await this.exchange(new URLSearchParams(await text(request)), response); return; }
      default:
        response.writeHead(404).end();
    }
  }

  private async authorize({ searchParams }: URL, response: ServerResponse): Promise<void> {
    const redirect = searchParams.get("redirect_uri") ?? "";
    const challenge = searchParams.get("code_challenge") ?? "";
    if (searchParams.get("code_challenge_method") !== "S256" || searchParams.get("client_id") !== CLIENT || !challenge) {
      response.writeHead(400).end("PKCE is wanted");
      return;
    }
    const code = randomBytes(16).toString("hex");
    this.codes.set(code, { challenge, redirect, nonce: searchParams.get("nonce") });
    const back = new URL(redirect);
    if (searchParams.get("prompt") === "none") {
      this.renewed.inFrame += 1;
      await sleep(this.pause);
    }
    if (searchParams.get("prompt") === "none" && this.isForgetful) back.searchParams.set("error", "login_required");
    else if (this.refusesAll) back.searchParams.set("error", "access_denied");
    else back.searchParams.set("code", code);
    back.searchParams.set("state", searchParams.get("state") ?? "");
    response.writeHead(302, { location: back.href }).end();
  }

  private async exchange(given: URLSearchParams, response: ServerResponse): Promise<void> {
    let nonce: string | null = null;
    if (given.get("grant_type") === "refresh_token") {
      this.renewed.byToken += 1;
      await sleep(this.pause);
      if (!this.refreshing.delete(given.get("refresh_token") ?? "")) { refused(response); return; }
    } else {
      const code = given.get("code") ?? "";
      const found = this.codes.get(code);
      this.codes.delete(code);
      const proof = createHash("sha256").update(given.get("code_verifier") ?? "").digest("base64url");
      if (found?.challenge !== proof || found.redirect !== given.get("redirect_uri")) { refused(response); return; }
      nonce = found.nonce;
    }
    const refresh = randomBytes(16).toString("hex");
    this.refreshing.add(refresh);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.url, sub: "client-1", name: "Ada", iat: now, exp: now + this.lives };
    json(response, {
      access_token: this.sign({ ...claims, aud: AUDIENCE }),
      id_token: this.sign({ ...claims, aud: CLIENT, ...(nonce ? { nonce } : {}) }),
      ...(this.givesRefreshTokens ? { refresh_token: refresh } : {}),
      token_type: "Bearer",
      expires_in: this.lives,
      scope: "openid profile offline_access",
    });
  }

  private sign(claims: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: "RS256", typ: "JWT", kid: "one" })}.${part(claims)}`;
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(this.keys.privateKey, "base64url")}`;
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function json(response: ServerResponse, value: object): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

function refused(response: ServerResponse): void {
  response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ error: "invalid_grant" }));
}

async function text(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}
