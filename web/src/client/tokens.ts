// A token that is always good for a while: renewed in time, once, however many ask.

// #region tokens
export interface Token {
  value: string;
  /** In milliseconds since 1970, by this computer's clock. */
  endsAt: number;
}

export class Tokens {
  private held: Token | null = null;
  private renewing: Promise<Token> | null = null;

  /** `renew` asks whoever makes tokens for a new one. */
  constructor(
    private readonly renew: () => Promise<Token>,
    private readonly spare = 30_000,
  ) {}

  /** A token that is good for at least `spare` milliseconds: for every request, and for every new socket. */
  async current(): Promise<string> {
    if (this.held && this.held.endsAt - Date.now() > this.spare) return this.held.value;
    return (await this.fresh()).value;
  }

  /** After the server refused the one that we hold, whatever our clock says. */
  forget(): void {
    this.held = null;
  }

  private fresh(): Promise<Token> {
    this.renewing ??= this.renew()
      .then((token) => (this.held = token))
      .finally(() => (this.renewing = null));
    return this.renewing;
  }
}
// #endregion

/** When a token ends. The server's and this computer's clock may differ: only the time between is taken from it. */
export function lifeOf(token: string): number {
  const claims = JSON.parse(decode(token.split(".")[1] ?? "")) as { exp?: number; iat?: number };
  const { exp, iat } = claims;
  if (exp === undefined) return Date.now() + 300_000;
  return iat === undefined ? exp * 1000 : Date.now() + (exp - iat) * 1000;
}

function decode(part: string): string {
  return atob(part.replaceAll("-", "+").replaceAll("_", "/"));
}
