/** Real processes. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskContext } from "@carillon/client";
import { expect, onTestFinished, test } from "vitest";
import { type CommandPayload, commandTask } from "./command-task.ts";

const SH = "/bin/sh";

function context(over: Partial<TaskContext> = {}): TaskContext & { lines: string[] } {
  const lines: string[] = [];
  const writer = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return {
    taskId: "task_0123456789abc",
    type: "command",
    queue: "default",
    attempt: 1,
    idempotencyKey: "task_0123456789abc",
    fencingToken: "1",
    dueAt: new Date(0),
    fireAt: null,
    schedule: null,
    parents: {},
    workflow: null,
    log: { debug: writer("debug"), info: writer("info"), warn: writer("warn"), error: writer("error") },
    progress: () => {},
    signal: new AbortController().signal,
    lines,
    ...over,
  };
}

const run = async (
  payload: CommandPayload,
  over: Partial<TaskContext> = {},
  allow = [SH, "/bin/cat", "/usr/bin/env"],
) => commandTask(allow).run(payload, context(over));

const shell = (script: string, over: Partial<CommandPayload> = {}): CommandPayload => ({
  argv: [SH, "-c", script],
  ...over,
});

function folder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "carillon-command-")));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Whether a process with this mark in its arguments runs. */
function running(mark: string): boolean {
  const listing = execFileSync("ps", ["-eo", "pid=,stat=,args="], { encoding: "utf8" });
  return listing.split("\n").some((line) => line.includes(mark) && !/^\s*\d+\s+Z/.test(line));
}

test("output, exit code and log lines are kept", async () => {
  const c = context();
  const result = await commandTask([SH]).run(shell("echo one; echo two >&2; printf 'no end ä'"), c);
  expect(result).toEqual({ exitCode: 0, signal: null, stdout: "one\nno end ä", stderr: "two\n" });
  expect(c.lines.sort()).toEqual(["info no end ä", "info one", "warn two"]);
});

test("an exit code other than 0 fails, with the last words", async () => {
  await expect(run(shell("echo first >&2; echo 'disk full' >&2; exit 3"))).rejects.toMatchObject({
    taskErrorCode: "exit_code",
    retryable: true,
    message: "exit code 3: disk full",
  });
  await expect(run(shell("kill -SEGV $$"))).rejects.toMatchObject({
    taskErrorCode: "exit_code",
    message: expect.stringMatching(/^ended by SIGSEGV/),
  });
});

test("only the executables on the list are run, by exactly these paths", async () => {
  const dir = folder();
  writeFileSync(join(dir, "other"), "#!/bin/sh\ntouch ran\n", { mode: 0o755 });
  symlinkSync(SH, join(dir, "link"));
  const refused = [
    "/bin/bash",
    "/bin//sh",
    "/bin/../bin/sh",
    "/bin/sh ",
    "/bin/./sh",
    join(dir, "other"),
    join(dir, "link"),
    "/bin/SH",
  ];
  for (const path of refused) {
    await expect(run({ argv: [path, "-c", "true"] }), path).rejects.toMatchObject({
      taskErrorCode: "handler_error",
      retryable: false,
      message: expect.stringContaining("--allow-command"),
    });
  }
  await expect(run(shell("true"), {}, [])).rejects.toMatchObject({ retryable: false });
  expect(() => commandTask(["sh"])).toThrow(/absolute/);
});

test("arguments are arguments: no shell reads them", async () => {
  const dir = folder();
  const words = [
    "$(touch injected)",
    "`touch injected`",
    "; touch injected",
    "a b",
    "*",
    "--",
    "-n",
    "",
    "\n",
    "'\"",
    "$HOME",
    "ä",
  ];
  const script = 'for word in "$@"; do printf "<%s>" "$word"; done';
  const result = await run({ argv: [SH, "-c", script, "sh", ...words], cwd: dir });
  expect(result.stdout).toBe(words.map((word) => `<${word}>`).join(""));
  const listed = await run({ argv: [SH, "-c", "ls -A"], cwd: dir });
  expect(listed.stdout).toBe("");
});

test("a payload of another form is refused before anything runs", async () => {
  const { schema } = commandTask([SH]);
  const wrong: [unknown, string][] = [
    [null, ""],
    ["sh", ""],
    [{}, "argv"],
    [{ argv: [] }, "argv"],
    [{ argv: "sh -c true" }, "argv"],
    [{ argv: [SH, 5] }, "argv"],
    [{ argv: [SH, null] }, "argv"],
    [{ argv: [[SH]] }, "argv"],
    [{ argv: [SH, "a\0b"] }, "argv"],
    [{ argv: ["/bin/sh\0x"] }, "argv"],
    [{ argv: ["sh"] }, "argv/0"],
    [{ argv: ["./sh"] }, "argv/0"],
    [{ argv: [""] }, "argv/0"],
    [{ argv: [SH], env: [] }, "env"],
    [{ argv: [SH], env: "A=1" }, "env"],
    [{ argv: [SH], env: { A: 1 } }, "env/A"],
    [{ argv: [SH], env: { A: "x\0" } }, "env/A"],
    [{ argv: [SH], env: { "A=B": "x" } }, "env/A=B"],
    [{ argv: [SH], cwd: "relative" }, "cwd"],
    [{ argv: [SH], cwd: "/tmp\0" }, "cwd"],
    [{ argv: [SH], cwd: 5 }, "cwd"],
    [{ argv: [SH], stdin: 5 }, "stdin"],
  ];
  for (const [payload, where] of wrong) {
    const { issues } = await schema!["~standard"].validate(payload);
    expect(issues?.[0]?.path?.map(String).join("/"), JSON.stringify(payload)).toBe(where);
  }
  const right = await schema!["~standard"].validate({
    argv: [SH],
    env: { PATH: "/bin", A: "" },
    cwd: "/",
    stdin: "x\0y",
  });
  expect(right.issues).toBeUndefined();
});

test("a task sets only variables that the operator listed, whatever they do; for a shell it sets any", async () => {
  const check = async (executable: string, name: string, allowEnv: string[] = []) => {
    const { schema } = commandTask([executable], { allowEnv });
    return (await schema!["~standard"].validate({ argv: [executable], env: { [name]: "x" } })).issues?.[0];
  };
  for (const name of ["LD_PRELOAD", "TAR_OPTIONS", "PATH", "OPENSSL_CONF", "GIT_SSH_COMMAND", "LEVEL"]) {
    expect(await check("/usr/bin/tar", name), name).toEqual({
      path: ["env", name],
      message: "not on this worker's --allow-env list",
    });
    expect(await check("/usr/bin/tar", name, ["A", name]), name).toBeUndefined();
    expect(await check("/bin/sh", name), name).toBeUndefined();
    expect(await check("/usr/bin/zsh", name), name).toBeUndefined();
  }
  expect(await check("/usr/bin/tar", "level", ["LEVEL"])).toBeDefined();
});

test("the worker's environment stays with the worker", async () => {
  process.env.CARILLON_API_KEY = "secret-key";
  process.env.DATABASE_URL = "postgres://secret";
  onTestFinished(() => {
    delete process.env.CARILLON_API_KEY;
    delete process.env.DATABASE_URL;
  });
  const printEnvironment = commandTask(["/usr/bin/env"], { allowEnv: ["OWN", "HOME"] });
  const { stdout } = await printEnvironment.run(
    { argv: ["/usr/bin/env"], env: { OWN: "yes", HOME: "/elsewhere" } },
    context(),
  );
  const names = stdout
    .trim()
    .split("\n")
    .map((line) => line.split("=")[0]!);
  expect(stdout).toContain("OWN=yes\n");
  expect(stdout).toContain("HOME=/elsewhere\n");
  expect(stdout).not.toContain("secret");
  const known = new Set(["PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR", "OWN"]);
  expect(names.filter((name) => !known.has(name))).toEqual([]);
});

test("runs in the folder it is told to, with the input it is given", async () => {
  const dir = folder();
  expect((await run(shell("pwd", { cwd: dir }))).stdout.trim()).toBe(dir);
  expect((await run({ argv: ["/bin/cat"], stdin: "line ä\nno end" })).stdout).toBe("line ä\nno end");
  expect((await run({ argv: ["/bin/cat"] })).stdout).toBe("");
  const large = "x".repeat(200_000);
  expect((await run(shell("wc -c", { stdin: large }))).stdout.trim()).toBe("200000");
  // One that does not read what it is given.
  expect((await run(shell("true", { stdin: "y".repeat(5_000_000) }))).exitCode).toBe(0);
});

test("what cannot be started fails for good, and says why", async () => {
  const dir = folder();
  const notExecutable = join(dir, "text");
  writeFileSync(notExecutable, "hello", { mode: 0o644 });
  for (const [payload, allow] of [
    [{ argv: [join(dir, "none")] }, [join(dir, "none")]],
    [{ argv: [notExecutable] }, [notExecutable]],
    [shell("true", { cwd: join(dir, "none") }), [SH]],
  ] as [CommandPayload, string[]][]) {
    await expect(run(payload, {}, allow)).rejects.toMatchObject({
      taskErrorCode: "handler_error",
      retryable: false,
      message: expect.stringMatching(/^could not start/),
    });
  }
});

test("of a flood the last 64 KiB are kept, in whole characters", async () => {
  const script =
    "i=0; while [ $i -lt 3000 ]; do echo 'ääääääääääääääääääääääääääääääääää-'$i; i=$((i+1)); done; printf ä";
  const { stdout } = await run(shell(script));
  expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(65_536);
  expect(Buffer.byteLength(stdout)).toBeGreaterThan(65_530);
  expect(stdout.endsWith("-2999\nä")).toBe(true);
  expect(stdout).not.toContain("\uFFFD");
});

test("a flood of lines keeps nothing else waiting, and once its log is full only the end of it is kept", async () => {
  const c = context();
  const stop = new AbortController();
  let turns = 0;
  let linesInTurn = 0;
  let mostLines = 0;
  const count = () => {
    turns++;
    mostLines = Math.max(mostLines, linesInTurn);
    linesInTurn = 0;
    if (!stop.signal.aborted) setImmediate(count);
  };
  const full = new Promise<void>((resolve) => {
    c.log.info = (part) => {
      const line = String(part);
      linesInTurn++;
      if (/^The log is full/.test(c.lines[c.lines.push(line) - 1]!)) resolve();
    };
  });
  setImmediate(count);
  const ended = commandTask([SH]).run(shell("yes"), { ...c, signal: stop.signal });
  const outcome = expect(ended).rejects.toThrow("enough");
  let lines: number;
  try {
    await full;
    lines = c.lines.length;
    // It is read on, or it would stand still.
    const turnsSoFar = turns;
    await expect.poll(() => turns, { timeout: 30_000 }).toBeGreaterThan(turnsSoFar + 100);
  } finally {
    stop.abort(new Error("enough"));
    await outcome;
  }
  expect(lines).toBe(100_001);
  expect(c.lines).toHaveLength(lines);
  expect(mostLines).toBeLessThanOrEqual(1_000);
});

test("a command that has filled its log runs to its end, and its last words are kept", async () => {
  const c = context();
  const result = await commandTask([SH]).run(shell("yes | head -c 3000000; echo the end"), c);
  expect(result).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/y\nthe end\n$/) });
  expect(c.lines.at(-1)).toMatch(/The log is full/);
});

test("output that is no text does not make a result too large", async () => {
  const script =
    "head -c 100000 /dev/zero | tr '\\0' '\\001'; head -c 100000 /dev/zero | tr '\\0' '\\n' >&2; head -c 100000 /dev/zero";
  const result = await run(shell(script));
  expect(result.exitCode).toBe(0);
  expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThanOrEqual(262_144);
  expect(result.stdout).not.toContain("\0");
});

test("a line without end does not grow without bound", async () => {
  const c = context();
  await commandTask([SH]).run(shell("head -c 3000000 /dev/zero | tr '\\0' 'x'"), c);
  expect(c.lines).toHaveLength(1);
  expect(c.lines[0]!.length).toBeLessThanOrEqual(65_536 + 5);
});

test("at its signal the whole group ends, grandchildren too", async () => {
  const mark = `31337${process.pid}1`;
  const stop = new AbortController();
  const reason = new Error("timed out");
  const lines: string[] = [];
  const started = new Promise<void>((resolve) => {
    const note = (line: string) => {
      lines.push(line);
      resolve();
    };
    const c = context({ signal: stop.signal });
    c.log.info = note;
    const script = `sh -c 'sleep ${mark} & sleep ${mark}; true' & echo started; wait`;
    Promise.resolve(commandTask([SH]).run(shell(script), c)).then(
      () => lines.push("resolved"),
      (error: unknown) => lines.push(error === reason ? "aborted" : String(error)),
    );
  });
  await started;
  await expect.poll(() => running(`sleep ${mark}`)).toBe(true);
  stop.abort(reason);
  await expect.poll(() => lines.at(-1), { timeout: 10_000 }).toBe("aborted");
  await expect.poll(() => running(`sleep ${mark}`), { timeout: 5_000 }).toBe(false);
});

test("one that ignores SIGTERM is killed, and what it leaves behind too", async () => {
  const mark = `31337${process.pid}2`;
  const stop = new AbortController();
  const c = context({ signal: stop.signal });
  const ended = commandTask([SH]).run(
    shell(`trap '' TERM; echo ready; while :; do sleep ${mark} & wait; done`),
    c,
  ) as Promise<unknown>;
  const outcome = expect(ended).rejects.toThrow("enough");
  await expect.poll(() => c.lines.includes("info ready")).toBe(true);
  const abortedAt = performance.now();
  stop.abort(new Error("enough"));
  await outcome;
  expect(performance.now() - abortedAt).toBeGreaterThan(4_500);
  await expect.poll(() => running(`sleep ${mark}`), { timeout: 5_000 }).toBe(false);
});

test("a command ends with its worker, also when that is killed", async () => {
  const mark = `31337${process.pid}4`;
  const module = new URL("../dist/command-task.js", import.meta.url).href;
  const script = `sleep ${mark} & echo started; wait`;
  const worker = spawn(process.execPath, [
    "--input-type=module",
    "--eval",
    `import { commandTask } from ${JSON.stringify(module)};
     const context = { log: { info: console.log, warn() {} }, signal: new AbortController().signal };
     await commandTask(["/bin/sh"]).run({ argv: ["/bin/sh", "-c", ${JSON.stringify(script)}] }, context);`,
  ]);
  await once(worker.stdout, "data");
  expect(running(`sleep ${mark}`)).toBe(true);
  worker.kill("SIGKILL");
  await expect.poll(() => running(mark), { timeout: 5_000 }).toBe(false);
});

test("what a command leaves running in the background does not hold it up, and ends with it", async () => {
  const mark = `31337${process.pid}3`;
  const startedAt = performance.now();
  const result = await run(shell(`sleep ${mark} & echo done`));
  expect(result).toMatchObject({ exitCode: 0, stdout: "done\n" });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  await expect.poll(() => running(`sleep ${mark}`), { timeout: 5_000 }).toBe(false);
});

test("a task that was stopped before it began runs nothing", async () => {
  const dir = folder();
  const reason = new Error("cancelled");
  await expect(run(shell("touch ran", { cwd: dir }), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect((await run(shell("ls -A", { cwd: dir }))).stdout).toBe("");
});

test("a command is tried once unless its task says otherwise", () => {
  expect(commandTask([]).retry).toEqual({ maxAttempts: 1 });
});
