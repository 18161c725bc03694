// Editors in step with their tab. They come later than the tabs, and then hold what the page began with, whichever tab
// was chosen meanwhile: executed, or edited, it would be another document than the tab says.
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";

export function InStep() {
  const query = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.query ?? "");
  const variables = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.variables ?? "");
  useFirstText(useGraphiQL((state) => state.queryEditor), query);
  useFirstText(useGraphiQL((state) => state.variableEditor), variables);
  return null;
}

/** An editor that appears gets the text; from then on it is the editor that says what the text is. */
function useFirstText(editor: { getValue: () => string; setValue: (text: string) => void } | undefined, text: string): void {
  const newest = useRef(text);
  useEffect(() => {
    newest.current = text;
  });
  useEffect(() => {
    if (editor && editor.getValue() !== newest.current) editor.setValue(newest.current);
  }, [editor]);
}
