import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Output, type Running, run as runProcess, startDev, temporaryFolder } from "./process.ts";

const folder = temporaryFolder();
let node: Running & { url: string };

beforeAll(async () => {
  node = await startDev(["--port", "0", "--data-dir", folder.path]);
}, 60_000);

afterAll(async () => {
  await node?.stop();
  folder.remove();
}, 60_000);

const run = (args: string[], input = ""): Promise<Output> =>
  runProcess(args, { env: { CARILLON_URL: node.url }, input });
const apply = (schedules: object[], ...flags: string[]) =>
  run(["apply", "-f", "-", ...flags], JSON.stringify({ schedules }));

async function versions(): Promise<Record<string, number>> {
  const { stdout } = await run(["schedules", "ls", "--json"]);
  const listed = stdout.split("\n").filter((line) => line !== "");
  return Object.fromEntries(listed.map((line) => JSON.parse(line)).map(({ name, version }) => [name, version]));
}

const daily = (name: string, cron: string, more = {}) => ({
  name,
  cron,
  timeZone: "Asia/Tokyo",
  task: { type: "noop" },
  ...more,
});

test("a file of schedules is shown, applied, and changes nothing the second time", async () => {
  const file = join(folder.path, "schedules.json");
  const schedules = [daily("a-daily", "0 2 * * *"), daily("a-hourly", "@hourly", { jitter: "60s" })];
  writeFileSync(file, JSON.stringify({ schedules }));
  const dry = await run(["apply", "-f", file, "--dry-run"]);
  expect(dry).toMatchObject({ code: 0, stderr: "2 created, 0 changed, 0 unchanged, if it were applied\n" });
  expect(dry.stdout).toMatch(
    /^a-daily: created\n( {2}\+ \d{4}-\d\d-\d\dT02:00:00\+09:00\[Asia\/Tokyo\]\n){7}a-hourly: created\n( {2}\+ .*\n){10} {4}and 90 more\n$/,
  );
  expect(await versions()).not.toHaveProperty("a-daily");

  const applied = await run(["apply", "--file", file]);
  expect(applied).toMatchObject({ code: 0, stderr: "2 created, 0 changed, 0 unchanged\n" });
  expect(await versions()).toMatchObject({ "a-daily": 1, "a-hourly": 1 });
  const again = await run(["apply", "-f", file]);
  expect(again).toEqual({
    code: 0,
    stdout: "a-daily: unchanged\na-hourly: unchanged\n",
    stderr: "0 created, 0 changed, 2 unchanged\n",
  });
  expect(await versions()).toMatchObject({ "a-daily": 1, "a-hourly": 1 });
});

test("an edit shows the fires that it moves, adds and removes before it is made", async () => {
  await apply([daily("b-moved", "0 2 * * *"), daily("b-twice", "0 2 * * *"), daily("b-fewer", "0 2,14 * * *")]);
  const edited = [
    daily("b-moved", "0 3 * * *"),
    daily("b-twice", "0 2,14 * * *"),
    daily("b-fewer", "0 2 * * *"),
    daily("b-queue", "0 2 * * *"),
  ];
  const dry = await apply(edited, "--dry-run", "--json");
  expect(dry.code).toBe(0);
  const plans = dry.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const counts = plans.map(({ name, action, version, added, removed, moved, kept }) => {
    return [name, action, version, added.length, removed.length, moved.length, kept];
  });
  expect(counts).toEqual([
    ["b-moved", "changed", 2, 0, 0, 7, 0],
    ["b-twice", "changed", 2, 7, 0, 0, 7],
    ["b-fewer", "changed", 2, 0, 7, 0, 7],
    ["b-queue", "created", 1, 7, 0, 0, 0],
  ]);
  expect(plans[0]).toMatchObject({ dryRun: true, versionBefore: 1 });
  expect(plans[0].moved[0].from.local).toContain("T02:00:00");
  expect(plans[0].moved[0].to.local).toContain("T03:00:00");
  expect(await versions()).toMatchObject({ "b-moved": 1 });

  const applied = await apply(edited);
  expect(applied.stdout).toMatch(/^b-moved: changed, version 1 to 2\n( {2}~ \S+T02:\S+ to \S+T03:\S+\n){7}b-twice/);
  expect(await versions()).toMatchObject({ "b-moved": 2, "b-twice": 2, "b-fewer": 2, "b-queue": 1 });
  const other = await apply([daily("b-queue", "0 2 * * *", { task: { type: "noop", queue: "other" } })]);
  expect(other.stdout).toBe("b-queue: changed, version 1 to 2\n  its fires stay as they are\n");
  const paused = await apply([daily("b-moved", "0 3 * * *", { paused: true })]);
  expect(paused.stdout).toMatch(/^b-moved: changed\n( {2}- .*\n){7}$/);
});

test("what the node refuses is named by schedule and field, and nothing of the file is applied", async () => {
  const refused = await apply([
    daily("c-good", "0 2 * * *"),
    daily("c-hour", "0 25 * * *"),
    daily("c-zone", "0 2 * * *", { timeZone: "Mars/Olympus" }),
  ]);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  for (const words of ["c-hour is refused:\nerror: /cron: ", "c-zone is refused:\nerror: /timeZone: "]) {
    expect(refused.stderr).toContain(words);
  }
  expect(refused.stderr).toMatch(/nothing was applied\n$/);
  expect(await versions()).not.toHaveProperty("c-good");
});

test("an edit of a calendar shows the fires of every schedule that uses it, and is made before its schedules", async () => {
  const applyFile = (file: object, ...flags: string[]) => run(["apply", "-f", "-", ...flags], JSON.stringify(file));
  const everyDay = { days: ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"], to: "12:00" };
  const mornings = { name: "mornings", timeZone: "Asia/Tokyo", weekly: [everyDay] };
  const file = { calendars: [mornings], schedules: [daily("e-within", "0 2,14 * * *", { includes: ["mornings"] })] };
  const first = await applyFile(file, "--dry-run");
  expect(first.stdout).toMatch(/^calendar mornings: created\ne-within: created\n( {2}\+ \S+T02:00:00\S+\n){7}$/);
  expect((await run(["schedules", "get", "e-within"])).code).toBe(3);
  expect((await applyFile(file)).stderr).toBe("2 created, 0 changed, 0 unchanged\n");
  await apply([daily("e-other", "0 14 * * *", { excludes: ["mornings"] })]);
  expect(await applyFile(file)).toEqual({
    code: 0,
    stdout: "calendar mornings: unchanged\ne-within: unchanged\n",
    stderr: "0 created, 0 changed, 2 unchanged\n",
  });

  const later = { ...file, calendars: [{ ...mornings, weekly: [{ ...everyDay, to: "24:00" }] }] };
  const dry = await applyFile(later, "--dry-run");
  expect(dry.stderr).toBe("0 created, 1 changed, 0 unchanged, 2 following their calendars, if it were applied\n");
  expect(dry.stdout).toMatch(
    /^calendar mornings: changed, version 1 to 2\ne-within: follows its calendars\n( {2}\+ \S+T14:\S+\n){7}e-other: follows its calendars\n( {2}- \S+T14:\S+\n){7}$/,
  );
  expect(await versions()).toMatchObject({ "e-within": 1, "e-other": 1 });
  expect((await applyFile(later)).stderr).toContain("2 following their calendars");
  expect(await versions()).toMatchObject({ "e-within": 2, "e-other": 2 });

  const refused = await applyFile({ ...file, calendars: [{ name: "bad", timeZone: "Mars/Olympus" }] });
  expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("calendar bad is refused") });
});

test("a file that cannot be read is exit code 2, a node that does not answer exit code 6", async () => {
  const cases: [string, string][] = [
    ["schedules:\n  - name: x", "is not JSON"],
    ["[]", "holds no object"],
    ['{"queues": []}', "/queues: only calendars and schedules can be applied"],
    ["{}", "/schedules: a list of schedules is missing"],
    ['{"calendars": {}}', "/calendars: no list"],
    ['{"schedules": [{"name": "a b"}]}', "/schedules/0/name"],
    ['{"schedules": [{"name": "x"}]}', "/schedules/0/task"],
    ['{"schedules": [{"name": "x", "task": {}}, {"name": "x", "task": {}}]}', "/schedules/1/name: x is there twice"],
  ];
  const outputs = await Promise.all(cases.map(([input]) => run(["apply", "-f", "-"], input)));
  for (const [index, [input, words]] of cases.entries()) {
    expect({ input, ...outputs[index] }).toMatchObject({ input, code: 2, stdout: "" });
    expect(outputs[index]!.stderr).toContain(words);
  }
  const [missing, unreachable] = await Promise.all([
    run(["apply", "-f", join(folder.path, "nowhere.json")]),
    run(["--url", "http://127.0.0.1:1", "apply", "-f", "-"], JSON.stringify({ schedules: [daily("d", "@daily")] })),
  ]);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("does not exist") });
  expect(unreachable).toMatchObject({ code: 6, stdout: "" });
});
