import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

export const PEERS = fileURLToPath(new URL("../../peers/", import.meta.url));
/** Those that `npm run bench:time` compares. */
export const TIME_PEERS = fileURLToPath(new URL("../../peers/time/", import.meta.url));

/** A package of `bench/peers`, which the compiler does not know. */
// biome-ignore lint/suspicious/noExplicitAny: the peers are not installed where types are checked.
export async function peer(name: string, folder = PEERS): Promise<any> {
  const require = createRequire(`${folder}package.json`);
  try {
    return await import(pathToFileURL(require.resolve(name)).href);
  } catch (error) {
    throw new Error(`${name} is not installed in bench/peers`, { cause: error });
  }
}

export function peerVersion(name: string, folder = PEERS): string {
  return (JSON.parse(readFileSync(`${folder}node_modules/${name}/package.json`, "utf8")) as { version: string })
    .version;
}

/** Once; `sample` is one of them. */
export function installPeers(folder: string, sample: string): void {
  if (existsSync(`${folder}node_modules/${sample}`)) return;
  console.error(`installing the peers into ${folder}`);
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"], {
    cwd: folder,
    stdio: "inherit",
  });
}
