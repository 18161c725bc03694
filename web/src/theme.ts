// Light or dark: as the system says, unless somebody chose.

export type Theme = "system" | "light" | "dark";
export const THEMES: { id: Theme; label: string }[] = [
  { id: "system", label: "Light or dark by itself" },
  { id: "light", label: "Light" },
  { id: "dark", label: "Dark" },
];
const KEPT = "resolution-center.theme";

function isTheme(value: string | null): value is Theme {
  return THEMES.some(({ id }) => id === value);
}

export const theme = {
  get chosen(): Theme {
    const kept = localStorage.getItem(KEPT);
    return isTheme(kept) ? kept : "system";
  },
  choose(chosen: Theme): void {
    if (chosen === "system") {
      localStorage.removeItem(KEPT);
      delete document.documentElement.dataset["theme"];
    } else {
      localStorage.setItem(KEPT, chosen);
      document.documentElement.dataset["theme"] = chosen;
    }
  },
};
