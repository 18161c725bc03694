// Sign-in: in development a choice of the demo's people, otherwise the identity provider.
import { Button as AriaButton } from "react-aria-components";
import { useState } from "react";
import type { DemoPerson } from "../client/config";
import { Button } from "../parts/controls";
import { Icon } from "../parts/icons";
import { useTitle } from "../parts/page";
import { useSession } from "../session/session";

export function SignIn() {
  const { config, farewell, chooseDemoPerson, goToProvider } = useSession();
  const [trouble, setTrouble] = useState(false);
  useTitle("Sign in");
  const { signIn } = config;
  return (
    <main className="sign-in" id="main">
      <h1>Resolution Center</h1>
      {farewell && (
        <p className="farewell" role="status">
          {farewell}
        </p>
      )}
      {signIn.kind === "demo" && (
        <>
          <p className="lead">
            This is the demo. Choose who you are in this window; open a second window to be the other side.
          </p>
          <ul className="people">
            {signIn.people.filter(isSomebody).map((person) => (
              <li key={person.subject}>
                <AriaButton
                  className="person"
                  onPress={() => {
                    chooseDemoPerson(person);
                  }}
                >
                  <span className="face" aria-hidden="true">
                    {person.name.slice(0, 1)}
                  </span>
                  <span className="person-words">
                    <span className="person-name">{person.name}</span>
                    <span className="person-what">{person.what}</span>
                  </span>
                  <Icon name="right" />
                </AriaButton>
              </li>
            ))}
          </ul>
        </>
      )}
      {signIn.kind === "oidc" && (
        <>
          <p className="lead">Settle a troubled order with the other side.</p>
          <Button
            tone="main"
            onPress={() => {
              setTrouble(false);
              goToProvider().catch(() => {
                setTrouble(true);
              });
            }}
          >
            Sign in
          </Button>
          {trouble && (
            <p className="refusal" role="alert">
              The sign-in page can&apos;t be reached at the moment.
            </p>
          )}
        </>
      )}
      {signIn.kind === "none" && (
        <p className="lead">
          Nobody can sign in here yet: whoever runs this server sets RESOLUTION_OIDC_AUTHORITY and RESOLUTION_OIDC_CLIENT_ID.
        </p>
      )}
    </main>
  );
}

/** The marketplace has no orders of its own to look at. */
function isSomebody(person: DemoPerson): boolean {
  return !person.scopes.includes("marketplace");
}
