import { print, printJson, say } from "./output.ts";

interface Preview {
  words: string;
  fires: { local: string; rolledFrom: string | null }[];
  warnings: { message: string }[];
  clockChanges: { at: string; offsetBefore: string; offsetAfter: string }[];
}

/** The words, then a fire per line; warnings and changes of the clock are talk. */
export function printPreview(preview: Preview, json: boolean): void {
  if (json) {
    printJson(preview);
    return;
  }
  print(preview.words);
  for (const { local, rolledFrom } of preview.fires) {
    print(rolledFrom === null ? `  ${local}` : `  ${local}, moved from ${rolledFrom}`);
  }
  for (const { message } of preview.warnings) say(`warning: ${message}`);
  for (const { at, offsetBefore, offsetAfter } of preview.clockChanges) {
    say(`the clock changes at ${at} from ${offsetBefore} to ${offsetAfter}`);
  }
}
