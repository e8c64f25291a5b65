import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseCrontab } from "@carillon/core";
import { expect, test } from "vitest";
import { type ImportedEntry, importEntries, isAnacrontab } from "../src/crontab-import.ts";

const folder = join(import.meta.dirname, "crontabs");
const now = Date.parse("2026-11-20T12:00:00Z");

function importFile(file: string, timeZone = "Europe/Berlin"): ImportedEntry[] {
  const { entries } = parseCrontab(readFileSync(join(folder, file), "utf8"));
  return importEntries(entries, { prefix: "test", timeZone, queue: null }, now);
}

const created = (entries: ImportedEntry[]) =>
  entries.map(({ line, words, fires, schedule }) => ({ line, words, next: fires[0], name: schedule?.name }));

test("Debian's own crontab", () => {
  const entries = importFile("debian/crontab");
  expect(created(entries)).toEqual([
    {
      line: 18,
      words: "At 17 minutes past the hour",
      next: "2026-11-20T13:17:00+01:00[Europe/Berlin]",
      name: expect.stringMatching(/^test\.run-parts-[0-9a-f]{8}$/),
    },
    { line: 19, words: "At 06:25", next: "2026-11-21T06:25:00+01:00[Europe/Berlin]", name: expect.anything() },
    {
      line: 20,
      words: "At 06:47, on Sunday",
      next: "2026-11-22T06:47:00+01:00[Europe/Berlin]",
      name: expect.anything(),
    },
    {
      line: 21,
      words: "At 06:52, on day 1 of the month",
      next: "2026-12-01T06:52:00+01:00[Europe/Berlin]",
      name: expect.anything(),
    },
  ]);
  expect(entries[1]).toMatchObject({
    user: "root",
    notes: ["It runs as the worker's user, not as root."],
    schedule: {
      definition: {
        cron: "25 6 * * *",
        timeZone: "Europe/Berlin",
        dialect: "vixie",
        catchUp: { policy: "skip" },
        task: {
          type: "command",
          tags: ["crontab", "user-root"],
          payload: {
            argv: ["/bin/sh", "-c", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }"],
            env: { PATH: "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin" },
          },
        },
      },
    },
  });
});

test.each([
  [
    "debian/cron.d-amavisd-new",
    ["At 18 minutes past the hour, every 3 hours", "At 01:24"],
    ["amavisd-new-cronjob", "amavisd-new-cronjob"],
  ],
  ["debian/cron.d-anacron", ["At 30 minutes past the hour, between 07:00 and 23:59"], ["invoke-rc.d"]],
  ["debian/cron.d-certbot", ["On the hour, every 12 hours"], ["perl"]],
  ["debian/cron.d-e2scrub_all", ["At 03:30, on Sunday", "At 03:10"], ["e2scrub_all_cron", "e2scrub_all"]],
  ["debian/cron.d-logcheck", [null, "At 2 minutes past the hour"], [undefined, "logcheck"]],
  ["debian/cron.d-mdadm", ["At 00:57, on Sunday"], ["checkarray"]],
  ["debian/cron.d-munin-node", ["Every 5 minutes"], ["apt_all"]],
  ["debian/cron.d-php", ["At 9 and 39 minutes past the hour"], ["sessionclean"]],
  [
    "debian/cron.d-sysstat",
    ["Every 10 minutes, minutes 5 through 55 past the hour", "At 23:59"],
    ["debian-sa1", "debian-sa1"],
  ],
])("%s in plain words", (file, words, programs) => {
  const entries = importFile(file);
  expect(entries.map((entry) => entry.words)).toEqual(words);
  expect(entries.map(({ schedule }) => schedule?.name.slice("test.".length, -9))).toEqual(programs);
  expect(entries.every(({ user }) => user !== null)).toBe(true);
});

test("an escaped percent sign reaches the shell as one", () => {
  const [check] = importFile("debian/cron.d-mdadm");
  expect(check?.schedule?.definition.task.payload.argv[2]).toContain("$(date +%d) -le 7");
});

test("anacron's table is told from a crontab", () => {
  const files = ["nasty", ...readdirSync(join(folder, "debian")).map((file) => `debian/${file}`)];
  const anacrontabs = files.filter((file) => isAnacrontab(readFileSync(join(folder, file), "utf8")));
  expect(anacrontabs).toEqual(["debian/anacrontab"]);
});

test("a nasty crontab: each entry becomes what cron would run, or a reason why not", () => {
  const entries = importFile("nasty", "UTC");
  const shown = entries.map(({ command, expression, words, problem, fires }) => [
    command || expression,
    words ?? `not created: ${problem}`,
    fires[0] ?? null,
  ]);
  expect(shown).toMatchInlineSnapshot(`
    [
      [
        "/opt/backup/run --full",
        "At 02:30",
        "2026-11-21T02:30:00-05:00[America/New_York]",
      ],
      [
        "uneven",
        "Every 35 minutes",
        "2026-11-20T07:00:00-05:00[America/New_York]",
      ],
      [
        "report --day",
        "At 00:00",
        "2026-11-21T00:00:00-05:00[America/New_York]",
      ],
      [
        "poll",
        "not created: Unknown nickname; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.",
        null,
      ],
      [
        "warm-up",
        "not created: @reboot names no time: nothing starts a schedule when a machine boots.",
        null,
      ],
      [
        "what",
        "not created: Unknown nickname; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.",
        null,
      ],
      [
        "curl -fsS https://example.com/hook?x=",
        "At 09:00, Monday through Friday",
        "2026-11-20T09:00:00-05:00[America/New_York]",
      ],
      [
        "mail -s "date: $(date +%F)" me",
        "At 12:00",
        "2026-11-20T12:00:00-05:00[America/New_York]",
      ],
      [
        "never",
        "not created: No date from 1970 to 2199 matches this expression.",
        null,
      ],
      [
        "too-late",
        "not created: "61" in the minute: 61 is not between 0 and 59.",
        null,
      ],
      [
        "* * * * four-fields",
        "not created: "four-fields" in the day of week is not understood.",
        null,
      ],
      [
        "friday-or-thirteenth",
        "At 04:00, on day 13 of the month or on Friday",
        "2026-11-27T04:00:00-05:00[America/New_York]",
      ],
      [
        "lost in space",
        "not created: CRON_TZ=Mars/Olympus is no IANA time zone.",
        null,
      ],
      [
        "same",
        "At 04:15",
        "2026-11-21T04:15:00+01:00[Europe/Paris]",
      ],
      [
        "same",
        "At 04:15",
        "2026-11-21T04:15:00+01:00[Europe/Paris]",
      ],
      [
        "20 4 * * *",
        "not created: There is no command.",
        null,
      ],
      [
        "relative shell",
        "not created: SHELL=zsh is no absolute path.",
        null,
      ],
      [
        "python3 /srv/job.py",
        "At 04:35",
        "2026-11-21T04:35:00+01:00[Europe/Paris]",
      ],
    ]
  `);
  expect(entries.find(({ command }) => command.startsWith("mail"))?.schedule?.definition.task.payload).toEqual({
    argv: ["/bin/bash", "-c", 'mail -s "date: $(date +%F)" me'],
    env: { PATH: "$HOME/bin:/usr/bin" },
    stdin: "Dear me,\nsecond line\n",
  });
  const names = entries.flatMap(({ schedule }) => schedule?.name ?? []);
  expect(new Set(names).size).toBe(names.length);
});

test("names stay the same when lines move, and differ when the entry does", () => {
  const name = (text: string) =>
    importEntries(parseCrontab(text).entries, { prefix: "x", timeZone: "UTC", queue: null }, now).at(-1)?.schedule
      ?.name;
  expect(name("# moved\n\nA=1\n0 1 * * * job\n")).toBe(name("0 1 * * * job\n"));
  const different = [
    "0 1 * * * job",
    "0 2 * * * job",
    "0 1 * * * job x",
    "0 1 * * * job%in",
    "CRON_TZ=UTC\n0 1 * * * job",
  ];
  expect(new Set(different.map(name)).size).toBe(different.length);
});
