import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { wantsJson } from "../connect.ts";
import { FAILED, withReason } from "../exit.ts";
import { printRows } from "../output.ts";

interface Finding {
  check: string;
  ok: boolean;
  detail: string;
}

const LOW_DISK_BYTES = 1024 ** 3;
/** The clock of a node follows the database's; a large difference still confuses people who read both. */
const LARGE_OFFSET_MS = 1_000;

export function doctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("Check what a node started here would need")
    .option("--config <file>", "JSON file of settings (CARILLON_CONFIG)")
    .action(async ({ config: file }: { config?: string }, command: Command) => {
      const { foreignDatabaseUrl, nodeConfig } = await import("../node-config.ts");
      const config = nodeConfig({}, file);
      const databaseUrl = config.databaseUrl ?? foreignDatabaseUrl();
      const findings = [
        checkNode(),
        checkZones(),
        ...(databaseUrl === undefined
          ? await checkDataDir(config.dataDir)
          : await checkDatabase(databaseUrl, config.databaseDirectUrl)),
        await checkPort(config.host, config.port),
      ];
      printRows(
        findings,
        [
          { title: "OK", value: ({ ok }) => (ok ? "ok" : "!!") },
          { title: "CHECK", value: ({ check }) => check },
          { title: "DETAIL", value: ({ detail }) => detail },
        ],
        wantsJson(command),
      );
      if (findings.some(({ ok }) => !ok)) process.exitCode = FAILED;
    });
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  const maintained = major >= 22 ? "" : "; this line gets no security fixes any more, 24 is recommended";
  return { check: "Node.js", ok, detail: `${process.versions.node}${ok ? maintained : ", needs 20.19 or newer"}` };
}

function checkZones(): Finding {
  return {
    check: "time zones",
    ok: process.versions.tz !== undefined,
    detail: `tz database ${process.versions.tz ?? "missing"}, ICU ${process.versions.icu ?? "missing"}`,
  };
}

async function checkDatabase(url: string, directUrl: string | undefined): Promise<Finding[]> {
  const { databaseFacts } = await import("@carillon/store");
  try {
    const { version, versionNumber, offsetMs, migrated, pooled } = await databaseFacts(url, Date.now);
    return [
      {
        check: "database",
        ok: versionNumber >= 150_000,
        detail: `PostgreSQL ${version}${versionNumber >= 150_000 ? "" : ", needs 15 or newer"}`,
      },
      ...(pooled ? [{ check: "pooler", ok: true, detail: poolerDetail(directUrl) }] : []),
      {
        check: "migrations",
        ok: true,
        detail: migrated ? "applied" : "not yet (done at the first start, or by carillon migrate)",
      },
      {
        check: "clock",
        ok: Math.abs(offsetMs) < LARGE_OFFSET_MS,
        detail: `${Math.round(offsetMs)} ms from the database's`,
      },
    ];
  } catch (error) {
    return [{ check: "database", ok: false, detail: withReason(error as Error) }];
  }
}

function poolerDetail(directUrl: string | undefined): string {
  const found = "a pooler that keeps no session, as in transaction mode";
  return directUrl === undefined
    ? `${found}; without CARILLON_DATABASE_DIRECT_URL nodes find each other's work by looking, within a second`
    : `${found}; hints between nodes go past it`;
}

async function checkDataDir(dataDir: string): Promise<Finding[]> {
  const folder = await existingParent(resolve(dataDir));
  const writable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  return [
    { check: "database", ok: true, detail: "embedded PostgreSQL (no CARILLON_DATABASE_URL)" },
    { check: "data folder", ok: writable, detail: `${resolve(dataDir)}${writable ? "" : " cannot be written"}` },
    { check: "disk", ok: freeBytes > LOW_DISK_BYTES, detail: `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free` },
  ];
}

async function existingParent(path: string): Promise<string> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  return exists ? path : existingParent(dirname(path));
}

/** Somebody answering there is a finding only for a node that wants to start. */
function checkPort(host: string, port: number): Promise<Finding> {
  return new Promise((done) => {
    const socket = connectTcp({ host, port, timeout: 1_000 });
    const finish = (taken: boolean) => {
      socket.destroy();
      done({
        check: "port",
        ok: true,
        detail: `${host}:${port} is ${taken ? "in use (a node may be running)" : "free"}`,
      });
    };
    socket.on("connect", () => finish(true));
    socket.on("timeout", () => finish(false));
    socket.on("error", () => finish(false));
  });
}
