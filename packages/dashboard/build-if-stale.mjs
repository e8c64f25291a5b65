/** Checks and builds the dashboard into `dist`, unless `dist` is newer than everything it is made of. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const sources = ["src", "public", "index.html", "vite.config.ts", "tsconfig.json", "package.json"];

const builtAt = modifiedAt(join(root, "dist/index.html"));
const changedAt = Math.max(...sources.map((source) => newest(join(root, source))));
if (changedAt > builtAt) {
  run("tsc", "--noEmit", "-p", root);
  run("vite", "build", "--logLevel", "warn");
}

/** A folder counts too: its own time moves when a file in it is removed. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
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
