import { useState } from "react";

/** `public/theme.js` applies the stored choice before the first paint; this changes it. */
export type Theme = "system" | "light" | "dark";

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(
    () => (document.documentElement.dataset.theme as Theme | undefined) ?? "system",
  );
  return [
    theme,
    (next) => {
      setTheme(next);
      if (next === "system") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = next;
      try {
        if (next === "system") localStorage.removeItem("carillon.theme");
        else localStorage.setItem("carillon.theme", next);
      } catch {
        // Without storage the choice lasts as long as the page.
      }
    },
  ];
}
