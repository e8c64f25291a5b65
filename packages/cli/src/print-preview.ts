import { print, printJson, say } from "./output.ts";

interface Preview {
  words: string;
  fires: { local: string }[];
  warnings: { message: string }[];
}

/** The words, then a fire per line; warnings are talk. */
export function printPreview(preview: Preview, json: boolean): void {
  if (json) {
    printJson(preview);
    return;
  }
  print(preview.words);
  for (const { local } of preview.fires) print(`  ${local}`);
  for (const { message } of preview.warnings) say(`warning: ${message}`);
}
