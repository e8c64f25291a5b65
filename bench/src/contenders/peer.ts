import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

export const PEERS = fileURLToPath(new URL("../../peers/", import.meta.url));

/** A package of `bench/peers`, which the compiler does not know. */
// biome-ignore lint/suspicious/noExplicitAny: the peers are not installed where types are checked.
export async function peer(name: string): Promise<any> {
  const require = createRequire(`${PEERS}package.json`);
  try {
    return await import(pathToFileURL(require.resolve(name)).href);
  } catch (error) {
    throw new Error(`${name} is not installed in bench/peers`, { cause: error });
  }
}

export function peerVersion(name: string): string {
  return (JSON.parse(readFileSync(`${PEERS}node_modules/${name}/package.json`, "utf8")) as { version: string }).version;
}
