// Signing in as one of the demo's people: in development only, and for each window by itself.
import { readConfig, type DemoPerson } from "../client/config";
import { lifeOf, Tokens } from "../client/tokens";

const CHOSEN = "resolution-center.person";

export function chosenPerson(people: DemoPerson[]): DemoPerson | undefined {
  const subject = sessionStorage.getItem(CHOSEN);
  return people.find((person) => person.subject === subject);
}

export function choosePerson(person: DemoPerson | null): void {
  if (person) sessionStorage.setItem(CHOSEN, person.subject);
  else sessionStorage.removeItem(CHOSEN);
}

// #region demo
export function demoTokens(subject: string): Tokens {
  return new Tokens(async () => {
    const { signIn } = await readConfig();
    const person = signIn.kind === "demo" ? signIn.people.find((one) => one.subject === subject) : undefined;
    if (!person) throw new Error("The server has no demo any more.");
    return { value: person.token, endsAt: lifeOf(person.token) };
  });
}
// #endregion
