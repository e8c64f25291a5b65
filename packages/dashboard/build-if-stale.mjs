/**
 * Checks and builds the dashboard into `dist`, unless `dist` is newer than everything it is made of. Each text is also there compressed,
 * for the server to send as it is.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = fileURLToPath(new URL(".", import.meta.url));
const sources = [
  "src",
  "public",
  "index.html",
  "vite.config.ts",
  "tsconfig.json",
  "package.json",
  "build-if-stale.mjs",
];

const builtAt = modifiedAt(join(root, "dist/index.html"));
const changedAt = Math.max(...sources.map((source) => newest(join(root, source))));
if (changedAt > builtAt) {
  run("tsc", "--noEmit", "-p", root);
  run("vite", "build", "--logLevel", "warn");
  compress(join(root, "dist"));
}

/** A folder counts too: its own time moves when a file in it is removed. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Writes `.br` and `.gz` beside each file that gets smaller by it. */
function compress(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) compress(path);
    else if (/\.(js|css|html|svg)$/.test(name)) {
      const content = readFileSync(path);
      const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
      const packed = { br: brotliCompressSync(content, { params: quality }), gz: gzipSync(content, { level: 9 }) };
      for (const [ending, bytes] of Object.entries(packed)) {
        if (bytes.length < content.length) writeFileSync(`${path}.${ending}`, bytes);
      }
    }
  }
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function run(command, ...args) {
  const bin = ["node_modules/.bin", "../../node_modules/.bin"].map((folder) => join(root, folder)).join(":");
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
    env: { ...process.env, PATH: `${bin}${process.platform === "win32" ? ";" : ":"}${process.env.PATH}` },
  });
  if (status !== 0) process.exit(status ?? 1);
}
