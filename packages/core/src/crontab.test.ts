import fc from "fast-check";
import { expect, test } from "vitest";
import { type CrontabEntry, parseCrontab } from "./crontab.ts";

const system = `\uFEFF# /etc/crontab: the machine's own
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin
  MAILTO = "ops team"
EMPTY=
'QUOTED' = 'a b '

# m h dom mon dow user\tcommand
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
-*/10 * * * *   www-data   [ -x /usr/bin/thing ] && if [ ! -d /run/x ]; then /usr/bin/thing; fi
@reboot         root   /usr/local/bin/warm
`;

function only(text: string, format: "user" | "system" = "user"): CrontabEntry {
  const { entries } = parseCrontab(text, { format });
  expect(entries).toHaveLength(1);
  return entries[0]!;
}

test("a system crontab: users, settings, tabs, comments and a byte order mark", () => {
  const { format, entries } = parseCrontab(system);
  expect(format).toBe("system");
  expect(entries.map(({ line, expression, user, command }) => ({ line, expression, user, command }))).toEqual([
    { line: 9, expression: "17 * * * *", user: "root", command: "cd / && run-parts --report /etc/cron.hourly" },
    {
      line: 10,
      expression: "25 6 * * *",
      user: "root",
      command: "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
    },
    {
      line: 11,
      expression: "*/10 * * * *",
      user: "www-data",
      command: "[ -x /usr/bin/thing ] && if [ ! -d /run/x ]; then /usr/bin/thing; fi",
    },
    { line: 12, expression: "@reboot", user: "root", command: "/usr/local/bin/warm" },
  ]);
  expect(entries[0]!.environment).toEqual({
    SHELL: "/bin/sh",
    PATH: "/usr/local/sbin:/usr/local/bin:/sbin:/bin",
    MAILTO: "ops team",
    EMPTY: "",
    QUOTED: "a b ",
  });
  expect(entries.map(({ problem }) => problem !== null)).toEqual([false, false, false, true]);
  expect(entries[3]!.problem).toContain("@reboot");
});

test("a user's crontab has no user column", () => {
  const { format, entries } = parseCrontab("*/5 * * * * php /srv/job.php --fast\r\n@daily backup\r\n");
  expect(format).toBe("user");
  expect(entries).toMatchObject([
    { expression: "*/5 * * * *", user: null, command: "php /srv/job.php --fast", problem: null },
    { expression: "@daily", user: null, command: "backup", problem: null },
  ]);
});

test.each([
  ["0 3 * * * root /bin/x", [], "system"],
  ["0 3 * * * postgres pg_dump db\n5 3 * * * www-data /bin/y", [], "system"],
  ["0 3 * * * deploy /srv/run", [], "user"],
  ["0 3 * * * deploy /srv/run", ["deploy"], "system"],
  ["0 3 * * * postgres", [], "user"],
  ["0 3 * * * mail -s report ops", [], "system"],
  ["0 3 * * * mail -s report ops\n0 4 * * * /bin/other", [], "user"],
  ["# m h dom mon dow   command\n0 3 * * * /bin/x", [], "user"],
  ["# m h dom mon dow user command\n0 3 * * * deploy /srv/run", [], "system"],
  ["", [], "user"],
] as [string, string[], string][])("%j is guessed with accounts %j to be of the format %s", (text, users, format) => {
  expect(parseCrontab(text, { users }).format).toBe(format);
});

test("the format that was given wins over the guess", () => {
  expect(only("0 3 * * * root /bin/x", "user").command).toBe("root /bin/x");
  expect(only("0 3 * * * deploy /srv/run", "system")).toMatchObject({ user: "deploy", command: "/srv/run" });
});

test.each([
  ["echo hi", "echo hi", null],
  ["date +\\%Y-\\%m-\\%d", "date +%Y-%m-%d", null],
  ["mail ops%Subject: hello%%All is well.", "mail ops", "Subject: hello\n\nAll is well.\n"],
  ["cat %50\\% done", "cat", "50% done\n"],
  ["cat %", "cat", ""],
  ["cat %a%", "cat", "a\n"],
  ["printf 'a\\tb\\n'", "printf 'a\\tb\\n'", null],
  ["echo a\\\\%b", "echo a\\\\", "b\n"],
  ["echo # no comment", "echo # no comment", null],
])("command %s", (text, command, stdin) => {
  expect(only(`* * * * * ${text}`)).toMatchObject({ command, stdin, problem: null });
});

test("settings hold for the entries below them, and the last one wins", () => {
  const { entries } = parseCrontab("A=1\n* * * * * x\nA=2\nB = 3\n* * * * * y\n", { format: "user" });
  expect(entries.map(({ environment }) => environment)).toEqual([{ A: "1" }, { A: "2", B: "3" }]);
});

test("CRON_TZ is the zone of the expression, TZ only of the command", () => {
  const { entries } = parseCrontab(
    "TZ=Asia/Tokyo\n0 1 * * * a\nCRON_TZ=europe/paris\n0 1 * * * b\nCRON_TZ=Mars\n0 1 * * * c",
  );
  expect(entries.map(({ timeZone, problem }) => ({ timeZone, problem }))).toEqual([
    { timeZone: null, problem: null },
    { timeZone: "Europe/Paris", problem: null },
    { timeZone: null, problem: "CRON_TZ=Mars is no IANA time zone." },
  ]);
  expect(entries[0]!.environment).toEqual({ TZ: "Asia/Tokyo" });
});

test.each([
  ["61 * * * * x", "61 is not between 0 and 59"],
  ["@fortnightly x", "Unknown nickname"],
  ["0 0 30 2 * x", "No date"],
  ["* * * * *", "no command"],
  ["* * * * * %input", "no command"],
  ["@daily", "no command"],
  ["0 0 L * * x", "not understood"],
  ["~ * * * * x", "not understood"],
  ["just words", "Neither five fields"],
  ["* * * *", "Neither five fields"],
])("%j says what is wrong", (text, words) => {
  expect(only(text).problem).toContain(words);
});

test("names and steps are understood as cron's own", () => {
  expect(only("*/20 8-17 1,15 jan-mar mon,wed x")).toMatchObject({
    expression: "*/20 8-17 1,15 jan-mar mon,wed",
    problem: null,
  });
});

test("a variable in the command is no setting", () => {
  expect(only("0 5 * * * FOO=bar /bin/run")).toMatchObject({ command: "FOO=bar /bin/run", environment: {} });
});

test("hostile names stay data", () => {
  const { environment } = only("__proto__=x\nconstructor=y\n* * * * * z");
  expect(Object.keys(environment)).toEqual(["__proto__", "constructor"]);
});

test("no text breaks the parser, and no entry without a command passes for a good one", () => {
  const piece = fc.constantFrom(
    "* * * * * ",
    "@daily ",
    "A=",
    "\n",
    "%",
    "\\",
    '"',
    "#",
    "root ",
    "\t",
    "0",
    "é",
    "\r\n",
  );
  const text = fc.oneof(
    fc.string({ maxLength: 400 }),
    fc.array(piece, { maxLength: 60 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (given) => {
      for (const entry of parseCrontab(given).entries) {
        if (entry.problem === null) expect(entry.command).not.toBe("");
        expect(given.split(/\r?\n/)[entry.line - 1]).toBeDefined();
      }
    }),
    { numRuns: 5_000 },
  );
});
