import { execFileSync } from "node:child_process";
import { lchownSync, lstatSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { CarillonError } from "@carillon/core";

/** The user that runs the database when we are root: PostgreSQL refuses to run as root. */
export interface Account {
  uid: number;
  gid: number;
}

/** Accounts in order of preference. `initdb` looks its user up by name, so a free number would not do. */
const accountNames = ["carillon", "postgres", "_postgres", "nobody"];

/** Null: we are not root, and the database runs as ourselves. `owner` is who owns existing data; it stays theirs. */
export function chooseAccount(owner: Account | null): Account | null {
  if (process.getuid?.() !== 0) return null;
  if (owner && owner.uid !== 0) return owner;
  for (const name of accountNames) {
    const account = lookUp(name);
    if (account) return account;
  }
  throw new CarillonError("unavailable", {
    detail:
      "PostgreSQL refuses to run as root, and this system has no account to run it as. " +
      "Add one (useradd --system carillon), start Carillon as a normal user, or set CARILLON_DATABASE_URL.",
  });
}

/** Spawn options that make a child run as `account`, with an environment that holds no secrets of ours and no PG* variable. */
export function runAs(account: Account | null): { uid?: number; gid?: number; env: NodeJS.ProcessEnv; cwd: string } {
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
  for (const name of ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"]) if (process.env[name]) env[name] = process.env[name];
  // The root folder as working folder, since ours may be closed to the account.
  return account ? { uid: account.uid, gid: account.gid, env, cwd: "/" } : { env, cwd: "/" };
}

/** Gives all in a folder, and last the folder itself, to `account`: whose the folder is, all in it is. */
export function giveTo(account: Account, folder: string): void {
  if (lstatSync(folder).isDirectory()) for (const name of readdirSync(folder)) giveTo(account, join(folder, name));
  lchownSync(folder, account.uid, account.gid);
}

/** Whether anybody may pass through every folder on the way to `path`. */
export function isReachable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      if ((statSync(folder).mode & 0o001) === 0) return false;
    } catch {
      return false;
    }
    if (folder === dirname(folder)) return true;
  }
}

function lookUp(name: string): Account | null {
  const number = (flag: string) =>
    Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  try {
    const account = { uid: number("-u"), gid: number("-g") };
    return account.uid > 0 && account.gid >= 0 ? account : null;
  } catch {
    return null;
  }
}
