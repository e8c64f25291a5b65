import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("./app.css", import.meta.url), "utf8");
const tokens = new Map(
  [...css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(([, name, light, dark]) => [
    name!,
    { light: light!, dark: dark! },
  ]),
);

const surfaces = ["canvas", "sunken", "raised", "hover", "selected"];
const states = ["good", "bad", "warn", "info", "idle"];
/** Text and what it stands on. */
const texts: [string, string][] = [
  ...["ink", "muted", "accent", "good", "bad", "warn", "info"].flatMap((text): [string, string][] =>
    surfaces.map((surface) => [text, surface]),
  ),
  ...states.map((state): [string, string] => [state, `${state}-soft`]),
  ...["good-soft", "bad-soft", "accent-soft"].map((surface): [string, string] => ["ink", surface]),
  ["muted", "bad-soft"],
  ["muted", "accent-soft"],
  ["accent", "accent-soft"],
  ["accent", "good-soft"],
  ["on-accent", "accent-solid"],
  ["on-accent", "accent-solid-hover"],
];

test.each(["light", "dark"] as const)("text in the %s theme has a contrast of at least 4.5:1", (theme) => {
  const low = texts
    .map(([text, surface]) => ({ text, surface, contrast: contrast(colour(text, theme), colour(surface, theme)) }))
    .filter(({ contrast }) => contrast < 4.5);
  expect(low).toEqual([]);
});

test.each(["light", "dark"] as const)(
  "the edge of a field and the focus ring in the %s theme have at least 3:1",
  (theme) => {
    for (const edge of ["field", "accent-solid"]) {
      expect(contrast(colour(edge, theme), colour("canvas", theme))).toBeGreaterThanOrEqual(3);
    }
  },
);

function colour(name: string, theme: "light" | "dark"): string {
  return tokens.get(name)![theme];
}

/** WCAG 2: of the relative luminances. */
function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(hex.slice(start, start + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
