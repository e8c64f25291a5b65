/**
 * Time zone data that no release has, for a process of its own. ICU reads `zoneinfo64.res` from the folder that ICU_TIMEZONE_FILES_DIR
 * names; here that is the resource which is built into this Node.js, with another version, and with another offset for one zone.
 */
import { open, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const OTHER_VERSION = "2099z";
export const SHIFTED_ZONE = "Asia/Tokyo";
export const SHIFT_HOURS = 5;

const HOUR_S = 3_600;
/** Offsets from UTC in seconds, standard and summer, of the only zone that has had these. */
const TOKYO = [33_539, 0, 9 * HOUR_S, 0, 9 * HOUR_S, HOUR_S];

/** What a process is given in its environment; null: this Node.js has its data somewhere else. */
export async function otherZoneData(folder: string): Promise<NodeJS.ProcessEnv | null> {
  const resource = await builtInResource();
  const version = resource?.indexOf(Buffer.from(process.versions.tz ?? "", "utf16le")) ?? -1;
  const tokyo = resource?.indexOf(Buffer.from(Int32Array.from(TOKYO).buffer)) ?? -1;
  if (!resource || version < 0 || tokyo < 0) return null;
  resource.write(OTHER_VERSION, version, "utf16le");
  resource.writeInt32LE((9 + SHIFT_HOURS) * HOUR_S, tokyo + 2 * 4);
  await writeFile(join(folder, "zoneinfo64.res"), resource);
  return { ICU_TIMEZONE_FILES_DIR: folder };
}

/** A resource bundle begins with its header's size, a magic number and `ResB`; its length in words is in its index. */
async function builtInResource(): Promise<Buffer | null> {
  const { size } = await stat(process.execPath);
  await using file = await open(process.execPath);
  const image = Buffer.alloc(size);
  await file.read(image, 0, size, 0);
  for (let at = image.indexOf("TZVersion\0"); at >= 0; at = image.indexOf("TZVersion\0", at + 1)) {
    const start = image.lastIndexOf("ResB", at) - 12;
    if (start < 0 || at - start > 4_096 || image.readUInt16LE(start + 2) !== 0x27da) continue;
    const headerBytes = image.readUInt16LE(start);
    const bytes = headerBytes + image.readInt32LE(start + headerBytes + 4 + 3 * 4) * 4;
    return Buffer.from(image.subarray(start, start + bytes));
  }
  return null;
}
