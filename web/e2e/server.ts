// A real server on a free port with a database of its own, and a line to it that can be cut.
import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server as Listener, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../..");
const VENV = path.join(ROOT, ".venv/bin/python");
const PYTHON = process.env["RESOLUTION_PYTHON"] ?? (existsSync(VENV) ? VENV : "python3");

export const PEOPLE = {
  Ada: { sub: "client-1" },
  Bela: { sub: "client-2" },
  Farid: { sub: "freelancer-1" },
  Gita: { sub: "freelancer-2" },
  Sol: { sub: "support-1", scope: "support" },
  Bazaar: { sub: "marketplace", scope: "marketplace" },
} as const;
export type Name = keyof typeof PEOPLE;

interface Answer {
  data: Record<string, never> & Record<string, unknown>;
  errors?: { message: string }[];
}

export class Service {
  readonly secret = randomBytes(32).toString("hex");
  url = "";
  log = "";
  /** Who signs the tokens, when it is not the server's own secret. */
  signs: ((claims: object) => string) | undefined;
  private process: ChildProcess | undefined;
  private folder = "";
  private placed = 0;

  async start(settings: Record<string, string> = {}, policy = ""): Promise<this> {
    this.folder = await mkdtemp(path.join(tmpdir(), "resolution-center-"));
    const policyFile = path.join(this.folder, "policy.toml");
    if (policy) await writeFile(policyFile, policy);
    const env = {
      ...process.env,
      PYTHONPATH: ROOT,
      RESOLUTION_DATABASE_URL: `sqlite://${path.join(this.folder, "test.sqlite3")}`,
      RESOLUTION_SWEEP_INTERVAL_SECONDS: "0.1",
      ...(settings["RESOLUTION_JWKS_URL"] ? {} : { RESOLUTION_JWT_SECRET: this.secret }),
      ...(policy ? { RESOLUTION_POLICY_FILE: policyFile } : {}),
      ...settings,
    };
    const child = spawn(PYTHON, ["-m", "api.cli", "serve", "--port", "0"], { cwd: this.folder, env });
    this.process = child;
    await new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        this.log += chunk.toString();
        const found = /GraphQL\s+(http:\/\/[\d.:]+)\/graphql/.exec(this.log);
        if (found?.[1] && this.log.includes('Ctrl-C')) {
          this.url = found[1];
          resolve();
        }
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("exit", (code) => {
        reject(new Error(`The server ended with ${String(code)}:\n${this.log}`));
      });
    });
    for (let tries = 0; tries < 100; tries++) {
      const ready = await fetch(`${this.url}/health/ready`).then((answer) => answer.ok, () => false);
      if (ready) return this;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`The server is not ready:\n${this.log}`);
  }

  async stop(): Promise<void> {
    const { process: child } = this;
    if (child?.exitCode === null) {
      await new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), 12_000).unref();
      });
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  token(name: Name, seconds = 3600): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = { ...PEOPLE[name], name, iat: now, exp: now + seconds };
    if (this.signs) return this.signs(claims);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    return `${signed}.${createHmac("sha256", this.secret).update(signed).digest("base64url")}`;
  }

  async ask(name: Name, query: string, variables: object = {}): Promise<Answer["data"]> {
    const answer = await fetch(`${this.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.token(name)}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await answer.json()) as Answer;
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** A mutation that must be done: the id of what it is about. */
  async does(name: Name, mutation: string, input: object): Promise<string> {
    const data = await this.ask(name, documentOf(mutation), { input });
    const payload = data[mutation] as unknown as { userErrors: object[] } & Record<string, { id: string } | null>;
    if (payload.userErrors.length > 0) throw new Error(JSON.stringify(payload.userErrors));
    return payload[aboutOf(mutation)]?.id ?? "";
  }

  async places(title: string, given: object = {}): Promise<string> {
    this.placed += 1;
    return this.does("Bazaar", "placeOrder", {
      reference: `T-${String(this.placed).padStart(4, "0")}-${randomBytes(2).toString("hex")}`,
      title,
      price: { amount: "140.00", currencyCode: "USD" },
      clientSubject: PEOPLE.Ada.sub,
      freelancerSubject: PEOPLE.Farid.sub,
      deliveryDays: 3,
      ...given,
    });
  }

  /** An order of Ada's with Farid on which work has started. */
  async started(title: string, given: object = {}): Promise<string> {
    const orderId = await this.places(title, given);
    await this.does("Ada", "submitRequirements", { orderId });
    return orderId;
  }

  async offers(orderId: string, amount = "20.00"): Promise<string> {
    return this.does("Farid", "offerPartialRefund", {
      orderId,
      amount: { amount, currencyCode: "USD" },
      explanation: "Sorry for the delay.",
      confidentialReason: "DELIVERY_DELAYED",
    });
  }
}

/** What `does` asks. */
export function documentOf(mutation: string): string {
  const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
  return `mutation($input: ${type}!) { ${mutation}(input: $input) { ${aboutOf(mutation)} { id } userErrors { code message } } }`;
}

function aboutOf(mutation: string): string {
  return ABOUT[mutation] ?? "request";
}

const ABOUT: Record<string, string> = {
  placeOrder: "order",
  submitRequirements: "order",
  deliverOrder: "order",
  requestRevision: "order",
  acceptDelivery: "order",
  cancelOrder: "order",
  contactSupport: "supportCase",
  decideSupportCase: "supportCase",
};

/** A line between browser and server. Cut, it drops what is open and takes nothing new. */
export class Line {
  url = "";
  private listener: Listener | undefined;
  private readonly open = new Set<Socket>();
  private isCut = false;

  async start(target: string): Promise<this> {
    const { hostname, port } = new URL(target);
    this.listener = createServer((near) => {
      if (this.isCut) {
        near.destroy();
        return;
      }
      const far = connect(Number(port), hostname);
      for (const socket of [near, far]) {
        this.open.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => this.listener?.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${String((this.listener.address() as AddressInfo).port)}`;
    return this;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.open) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener?.close(resolve));
  }
}
