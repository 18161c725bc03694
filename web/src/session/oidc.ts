// Signing in at an identity provider: OpenID Connect, authorization code with PKCE. Loaded only where it is used.
import { ErrorResponse, UserManager, WebStorageStateStore, type User } from "oidc-client-ts";
import type { SignIn } from "../client/config";
import { Tokens, type Token } from "../client/tokens";

type Oidc = Extract<SignIn, { kind: "oidc" }>;

export interface Provider {
  /** Who is signed in already in this window. */
  user: () => Promise<User | null>;
  tokens: Tokens;
  start: (returnTo: string) => Promise<void>;
  /** Comes back from the provider: where the person wanted to go. */
  finish: () => Promise<string>;
  leave: () => Promise<void>;
}

export function provider({ authority, clientId, audience }: Oidc, onSignedOut: () => void): Provider {
  const manager = new UserManager({
    authority,
    client_id: clientId,
    redirect_uri: `${location.origin}/signed-in`,
    post_logout_redirect_uri: `${location.origin}/sign-in`,
    scope: "openid profile offline_access",
    ...(audience === null ? {} : { extraQueryParams: { audience } }),
    automaticSilentRenew: false, // `Tokens` renews when a token is needed
    // For this window only, and gone with it.
    userStore: new WebStorageStateStore({ store: sessionStorage }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
  });

  // #region oidc
  async function renewed(): Promise<Token> {
    const held = await manager.getUser();
    if (held && (held.expires_in ?? 0) > 40) return tokenOf(held);
    try {
      const user = await manager.signinSilent();
      if (user) return tokenOf(user);
    } catch (error) {
      if (!(error instanceof ErrorResponse)) throw error; // no network, perhaps: it is tried again
    }
    await manager.removeUser();
    onSignedOut();
    throw new Error("Signed out.");
  }
  // #endregion

  return {
    user: () => manager.getUser(),
    tokens: new Tokens(renewed),
    start: (returnTo) => manager.signinRedirect({ state: returnTo }),
    finish: async () => {
      const user = await manager.signinCallback();
      return typeof user?.state === "string" ? user.state : "/orders";
    },
    leave: async () => {
      await manager.removeUser();
    },
  };
}

/** In the hidden frame of a renewal: the page around it knows what was asked, and takes the answer. */
export async function answerParent(): Promise<void> {
  const here = { authority: location.origin, client_id: "", redirect_uri: location.href };
  await new UserManager(here).signinSilentCallback();
}

function tokenOf(user: User): Token {
  return { value: user.access_token, endsAt: (user.expires_at ?? 0) * 1000 };
}
