import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { chooseAccount } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import { diskWarnings } from "./disk.ts";
import { type EmbeddedOptions, removeSocketFolder, startEmbedded } from "./start.ts";
import { isRoot, madeFolder, noPg15, pg15Bin, query, supervise, temporaryFolder } from "./test/supervise.ts";

async function start(options: EmbeddedOptions) {
  const database = await startEmbedded(options);
  onTestFinished(() => database.stop());
  return database;
}

test("the first start makes a durable database, and the next one finds what was written", async () => {
  const dataDir = join(temporaryFolder(), "made", "on the way");
  const first = await start({ dataDir });
  expect(first).toMatchObject({
    firstStart: true,
    recovered: null,
    version: expect.stringMatching(/^18\.\d+$/),
    dataDir,
  });
  expect(first.survives).toMatch(/crashes of Carillon, of the database and of this machine/);
  const settings = await query(
    first,
    `select name, setting from pg_settings where name = any(array['fsync', 'full_page_writes', 'synchronous_commit',
       'data_checksums', 'listen_addresses', 'server_encoding', 'autovacuum', 'data_sync_retry'])
     union all select 'collation', datcollate from pg_database where datname = current_database() order by 1`,
  );
  expect(Object.fromEntries(settings.map((row) => [row.name, row.setting]))).toEqual({
    autovacuum: "on",
    collation: "C",
    data_checksums: "on",
    data_sync_retry: "off",
    fsync: "on",
    full_page_writes: "on",
    listen_addresses: "",
    server_encoding: "UTF8",
    synchronous_commit: "on",
  });
  await query(first, "create table kept as select 1 as id");
  await first.stop();
  expect(readdirSync(dataDir).sort()).toEqual(["pg18", "postgres.log"]);

  const second = await start({ dataDir });
  expect(second).toMatchObject({ firstStart: false, recovered: null });
  expect(await query(second, "select id from kept")).toEqual([{ id: 1 }]);
});

test("only the owner of the database and root reach its socket, and its folder goes with it", async () => {
  const database = await start({ dataDir: await madeFolder() });
  const folder = statSync(database.connection.host);
  expect(folder.mode & 0o777).toBe(0o700);
  expect(folder.uid).toBe(statSync(join(database.dataDir, "pg18")).uid);
  await database.stop();
  expect(() => statSync(database.connection.host)).toThrow(/ENOENT/);
});

test.skipIf(noPg15)("a PostgreSQL that is already installed serves as well", async () => {
  const database = await start({ dataDir: temporaryFolder(), postgresBin: pg15Bin });
  expect(database.version).toMatch(/^15\./);
  expect(readdirSync(database.dataDir)).toContain("pg15");
  expect(await query(database, "select current_setting('data_checksums') as checksums")).toEqual([{ checksums: "on" }]);
});

test.runIf(isRoot)("started as root, the database runs as somebody else", async () => {
  const database = await start({ dataDir: await madeFolder() });
  expect(statSync(`/proc/${database.pid}`).uid).not.toBe(0);
  expect(await query(database, "select 1 as one")).toEqual([{ one: 1 }]);
});

for (const { name, bin, absent } of [
  { name: "18", bin: undefined, absent: false },
  { name: "15", bin: pg15Bin, absent: noPg15 },
]) {
  test.runIf(isRoot && !absent)(
    `started as root in a folder that only root may enter (PostgreSQL ${name})`,
    async () => {
      const closed = temporaryFolder(0o700);
      const options = { dataDir: join(closed, "data"), ...(bin && { postgresBin: bin }) };
      const first = await start(options);
      await query(first, "create table kept as select 1 as id");
      await first.stop();
      const second = await start(options);
      expect(await query(second, "select id from kept")).toEqual([{ id: 1 }]);
      expect(statSync(closed).mode & 0o777).toBe(0o700);
    },
  );
}

test.runIf(isRoot)("started as root, data that root copied here is given to the database's user", async () => {
  const dataDir = await madeFolder();
  expect(statSync(join(dataDir, "pg18", "PG_VERSION")).uid).toBe(0);
  expect(await query(await start({ dataDir }), "select count(*)::int as count from kept")).toEqual([{ count: 0 }]);
});

test.runIf(isRoot)("a normal user needs no root", async () => {
  const user = { uid: 65534, gid: 65534 };
  const home = temporaryFolder();
  chownSync(home, user.uid, user.gid);
  const { binDir } = await findBinaries(undefined, home, chooseAccount(null));
  const supervisor = supervise({ dataDir: join(home, "data"), postgresBin: binDir, user }, { HOME: home });
  const { pid, connection } = await supervisor.database();
  expect(statSync(`/proc/${pid}`).uid).toBe(user.uid);
  expect(statSync(connection.host).uid).toBe(user.uid);
});

test.runIf(isRoot)("a normal user is told whose the data is", async () => {
  const dataDir = await madeFolder();
  const user = { uid: 12_345, gid: 12_345 };
  await expect(supervise({ dataDir, user }).database()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/belongs to the user with uid \d+\. Start Carillon as that user or as root/),
  });
});

test("of what a lock file calls a socket folder, only one of ours is removed, and only what is ours in it", () => {
  const make = (parent: string, name: string, ...files: string[]) => {
    const folder = join(parent, name);
    mkdirSync(folder);
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const file of files) writeFileSync(join(folder, file), "");
    removeSocketFolder(folder);
    return existsSync(folder) ? readdirSync(folder) : null;
  };
  const unique = () => randomBytes(3).toString("hex");
  expect(make(tmpdir(), `carillon-${unique()}`, ".s.PGSQL.5432", ".s.PGSQL.5432.lock")).toBeNull();
  expect(make(tmpdir(), `carillon-${unique()}`, ".s.PGSQL.5432", "precious")).toEqual(["precious"]);
  expect(make(tmpdir(), `carillon-${unique()}-data`, "precious")).toEqual(["precious"]);
  expect(make(temporaryFolder(), `carillon-${unique()}`, ".s.PGSQL.5432")).toEqual([".s.PGSQL.5432"]);
  expect(() => removeSocketFolder(join(tmpdir(), `carillon-${unique()}`))).not.toThrow();
});

test("a data folder with a long path works, although socket paths are short", async () => {
  const dataDir = join(temporaryFolder(), "a".repeat(120), "b".repeat(120));
  const database = await start({ dataDir });
  expect(await query(database, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a temporary folder with a long path is passed over for the socket", async () => {
  const folder = await madeFolder();
  const long = join(temporaryFolder(), "t".repeat(100));
  mkdirSync(long);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = long;
  onTestFinished(() => void (before === undefined ? delete process.env.TMPDIR : (process.env.TMPDIR = before)));
  const database = await start({ dataDir: folder });
  expect(database.connection.host.length).toBeLessThan(60);
});

test("data of another PostgreSQL major is refused and left as it is", async () => {
  const dataDir = temporaryFolder();
  const folder = join(dataDir, "pg14");
  mkdirSync(folder);
  writeFileSync(join(folder, "PG_VERSION"), "14\n");
  chmodSync(folder, 0o700);
  const before = listing(dataDir);
  await expect(startEmbedded({ dataDir })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(
      /pg14 was made by PostgreSQL 14; PostgreSQL 18\.\d+ cannot read it\. Nothing was changed\..*CARILLON_POSTGRES_BIN/,
    ),
  });
  expect(listing(dataDir)).toEqual(before);
});

test.skipIf(noPg15)("an older PostgreSQL does not start beside data of a newer one", async () => {
  const dataDir = await madeFolder();
  const before = listing(dataDir);
  await expect(startEmbedded({ dataDir, postgresBin: pg15Bin })).rejects.toThrow(
    /made by PostgreSQL 18; PostgreSQL 15/,
  );
  expect(listing(dataDir)).toEqual(before);
});

test("a folder in the database's place that holds something else is left alone", async () => {
  const dataDir = temporaryFolder();
  mkdirSync(join(dataDir, "pg18"));
  writeFileSync(join(dataDir, "pg18", "notes.txt"), "mine");
  await expect(startEmbedded({ dataDir })).rejects.toThrow(/is not a PostgreSQL data folder/);
  expect(readFileSync(join(dataDir, "pg18", "notes.txt"), "utf8")).toBe("mine");
});

test("a PostgreSQL that cannot run here is refused with the ways out", async () => {
  const refusal = (postgresBin: string) => startEmbedded({ dataDir: join(temporaryFolder(), "data"), postgresBin });
  const program = (text: string) => {
    const bin = temporaryFolder();
    for (const name of ["postgres", "initdb"]) writeFileSync(join(bin, name), text, { mode: 0o755 });
    return bin;
  };
  await expect(refusal(temporaryFolder())).rejects.toThrow(/there is no postgres in it/);
  // What a glibc program looks like on musl: it is there, and its loader is not.
  await expect(refusal(program("#!/lib64/no-such-loader\n"))).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/loader is missing.*Alpine.*CARILLON_POSTGRES_BIN.*CARILLON_DATABASE_URL/),
  });
  await expect(refusal(program("#!/bin/sh\necho 'postgres (PostgreSQL) 13.22'\n"))).rejects.toThrow(
    /holds PostgreSQL 13\.22; Carillon needs 15 or newer/,
  );
});

test("settings that give durability up are named in what the data survives", async () => {
  const database = await start({ dataDir: await madeFolder(), settings: { fsync: "off", work_mem: "8MB" } });
  expect(database.survives).toMatch(/not of this machine/);
  expect(await query(database, "show work_mem")).toEqual([{ work_mem: "8MB" }]);
});

test("a setting that PostgreSQL does not know is reported in its words, and the folder is free again", async () => {
  const dataDir = await madeFolder();
  await expect(startEmbedded({ dataDir, settings: { no_such_setting: "1" } })).rejects.toThrow(
    /did not start: .*unrecognized configuration parameter "no_such_setting".*postgres\.log/,
  );
  expect((await start({ dataDir })).firstStart).toBe(false);
});

const tmpfs = 0x01021994;

test.runIf(process.platform === "linux")("a disk that does not write when told to is pointed out", () => {
  expect(diskWarnings("/dev/shm").join()).toMatch(/does not seem to write when told to/);
});

test.skipIf(statfsSync(tmpdir()).type === tmpfs)("a disk that writes when told to is not", () => {
  expect(diskWarnings(tmpdir()).join()).not.toMatch(/does not seem to write/);
});

test.runIf(isRoot)("a disk that is too small for the database is said to be full", async () => {
  const dataDir = mountSmallDisk("24m");
  await expect(startEmbedded({ dataDir })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^The disk that holds .* is full/),
  });
  expect(readdirSync(dataDir)).toEqual(["postgres.log"]);
});

test.runIf(isRoot)(
  "a disk that fills up ends the database, and with space it goes on with everything committed",
  async () => {
    const dataDir = mountSmallDisk("160m");
    const options = { dataDir, settings: { min_wal_size: "32MB", max_wal_size: "48MB" } };
    let over: (info: { reason: string }) => void = () => {};
    const end = new Promise<{ reason: string }>((resolve) => {
      over = resolve;
    });
    const database = await start({ ...options, onExit: over });
    expect(database.warnings.join()).toMatch(/almost full/);
    await query(database, "create table kept (id int)");
    await query(database, "insert into kept select generate_series(1, 100)");
    const ballast = join(dataDir, "ballast");
    expect(() => execFileSync("dd", ["if=/dev/zero", `of=${ballast}`, "bs=1M"], { stdio: "pipe" })).toThrow(
      /No space left/,
    );

    let acknowledged = 100;
    const writeUntilItEnds = async () => {
      for (;;) {
        await query(database, `insert into kept values (${acknowledged + 1})`);
        acknowledged += 1;
        await query(database, "select pg_logical_emit_message(false, 'filler', repeat('x', 4000000))");
      }
    };
    await expect(writeUntilItEnds()).rejects.toThrow();
    expect((await end).reason).toMatch(/^The disk that holds .* is full/);
    await expect(startEmbedded(options)).rejects.toThrow(/^The disk that holds .* is full/);
    rmSync(ballast);
    const again = await start(options);
    expect(again.recovered).toBe("recovered from an unclean end");
    const [row] = await query(again, "select count(*)::int as count, max(id) as max from kept");
    expect([acknowledged, acknowledged + 1]).toContain(row?.count);
    expect(row?.max).toBe(row?.count);
  },
);

function mountSmallDisk(size: string): string {
  const folder = temporaryFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=755`, "carillon-test", folder]);
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  return folder;
}

function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}
