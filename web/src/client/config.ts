// What the server says before anything can be asked of it.

export interface DemoPerson {
  subject: string;
  name: string;
  what: string;
  scopes: string[];
  token: string;
  expiresAt: string;
}

export type SignIn =
  | { kind: "demo"; people: DemoPerson[] }
  | { kind: "oidc"; authority: string; clientId: string; audience: string | null }
  | { kind: "none" };

export interface Config {
  environment: "development" | "production";
  graphiql: boolean;
  signIn: SignIn;
}

export async function readConfig(): Promise<Config> {
  const answer = await fetch("/config.json", { cache: "no-store" });
  if (!answer.ok) throw new Error(`The server answered ${String(answer.status)}.`);
  return (await answer.json()) as Config;
}
