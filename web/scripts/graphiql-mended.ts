// What GraphiQL calls wrongly for who hears the page, or draws too pale: mended as it is built, or the build fails.
import type { Plugin } from "vite";

interface Mend {
  file: RegExp;
  written: string;
  meant: string;
}

const MENDS: Mend[] = [
  // Its tabs hold a second button each, which closes them: so they are a list of buttons, and no tabs.
  {
    file: /@graphiql\/react\/dist\/components\/tabs\/index\.js$/,
    written: '"aria-selected": isActive,\n\t\t\tdragElastic: false,\n\t\t\trole: "tab",',
    meant: "dragElastic: false,",
  },
  {
    file: /@graphiql\/react\/dist\/components\/tabs\/index\.js$/,
    written: 'role: "tablist",',
    meant: 'role: "list",',
  },
  {
    file: /graphiql\/dist\/GraphiQL\.js$/,
    written: 'jsx(Tab.Button, { "aria-controls": "graphiql-session",',
    meant: 'jsx(Tab.Button, { "aria-current": index_1 === activeTabIndex, "aria-controls": "graphiql-session",',
  },
  {
    file: /graphiql\/dist\/GraphiQL\.js$/,
    written: 'jsx(Tab.Close, { onClick: handleTabClose })',
    meant: 'jsx(Tab.Close, { "aria-label": `Close ${tab.title}`, onClick: handleTabClose })',
  },
  {
    file: /graphiql\/dist\/GraphiQL\.js$/,
    written: 'role: "tabpanel", id: "graphiql-session"',
    meant: 'role: "group", id: "graphiql-session"',
  },
  // Every entry of the history is called alike, whatever stands on it.
  {
    file: /@graphiql\/plugin-history\/dist\/components\.js$/,
    written: 'onClick: handleHistoryItemClick, "aria-label": "Set active",',
    meant: "onClick: handleHistoryItemClick,",
  },
  // Comments by night.
  {
    file: /@graphiql\/react\/dist\/constants\.js$/,
    written: 'foreground: "#908aff"\n\t\t}]',
    meant: 'foreground: "#908aff" }, { token: "comment", foreground: "#8fb97c" }]',
  },
];

export function graphiqlMended(): Plugin {
  const left = new Set(MENDS);
  return {
    name: "graphiql-mended",
    apply: "build",
    transform(code, id) {
      for (const mend of MENDS) {
        if (!mend.file.test(id)) continue;
        if (!code.includes(mend.written)) this.error(`GraphiQL does not say ${mend.written} any more: see whether this needs mending.`);
        code = code.replace(mend.written, mend.meant);
        left.delete(mend);
      }
      return { code, map: null };
    },
    buildEnd(error) {
      const [mend] = left;
      if (mend && !error) this.error(`GraphiQL has no ${mend.file.source} any more: see whether it needs mending.`);
    },
  };
}
