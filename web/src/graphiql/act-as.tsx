// Who acts: in development a demo person, whose token is put into the headers editor of the tab.
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useRef, useState } from "react";
import type { DemoPerson } from "../client/config";

function headersOf(person: DemoPerson): string {
  return JSON.stringify({ Authorization: `Bearer ${person.token}` }, null, 2);
}

export function ActAs({ people }: { people: DemoPerson[] }) {
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const tab = useGraphiQL((state) => state.activeTabIndex);
  const wanted = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.query?.match(/^# As (\w+)/)?.[1]);
  const [chosen, setChosen] = useState(people[0]?.subject ?? "");
  const written = useRef("");
  // An example says whose it is; in other tabs whoever was chosen stays.
  const subject = people.find((person) => person.name === wanted)?.subject ?? chosen;

  useEffect(() => {
    const person = people.find((one) => one.subject === subject);
    if (!headerEditor || !person) return;
    const timer = setTimeout(() => {
      const held = headerEditor.getValue();
      if (held.trim() !== "" && held !== written.current) return; // typed by hand: it stays
      written.current = headersOf(person);
      headerEditor.setValue(written.current);
    });
    return () => {
      clearTimeout(timer);
    };
  }, [headerEditor, people, subject, tab]);

  /** Also in the tab of an example: its first line says then who acts. */
  function choose(person: DemoPerson) {
    setChosen(person.subject);
    if (queryEditor && wanted) queryEditor.setValue(queryEditor.getValue().replace(/^# As \w+, [^:]+/, `# As ${person.name}, ${person.what}`));
    if (!headerEditor) return;
    written.current = headersOf(person);
    headerEditor.setValue(written.current);
  }

  return (
    <div className="act-as">
      {people.length > 0 && (
        <label>
          Act as
          <select
            value={subject}
            onChange={(event) => {
              const person = people.find((one) => one.subject === event.target.value);
              if (person) choose(person);
            }}
          >
            {people.map((person) => (
              <option key={person.subject} value={person.subject}>
                {person.name}, {person.what}
              </option>
            ))}
          </select>
        </label>
      )}
      <a href="/">Resolution Center</a>
    </div>
  );
}
