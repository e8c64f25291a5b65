// Writes index.ts from the .sql files beside it, so that they travel inside the bundle. Run it after changing one.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url);
const files = readdirSync(here)
  .filter((name) => name.endsWith(".sql"))
  .sort();
const entries = files.map((name) => {
  const text = readFileSync(new URL(name, here), "utf8").replace(/[\\`]|\$\{/g, "\\$&");
  return `  {\n    version: ${Number(name.slice(0, 4))},\n    name: "${name.slice(5, -4)}",\n    text: \`${text}\`,\n  },\n`;
});
writeFileSync(
  new URL("index.ts", here),
  `/** The .sql files of this folder, inlined by inline.mjs. */
export interface Migration {
  version: number;
  name: string;
  text: string;
}

export const migrations: readonly Migration[] = [\n${entries.join("")}];\n`,
);
