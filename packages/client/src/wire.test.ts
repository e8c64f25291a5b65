import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type AttemptReport, limits, taskErrorCodes } from "@carillon/core";
import { HelloSchema, WorkRequestSchema, WorkResponseSchema } from "@carillon/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AssignedTask, Hello, NodeMessage, ReportedOutcome, WorkerMessage } from "./protocol.ts";
import {
  cutNodeMessage,
  cutWorkerMessage,
  fromWorkRequest,
  fromWorkResponse,
  toWorkRequest,
  toWorkResponse,
} from "./wire.ts";

const id = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
const ref = fc.record({ id, token: id });
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const text = fc.string({ unit: "grapheme", maxLength: 50 }).filter((value) => !value.includes("\0"));
const someText = text.filter((value) => value !== "");
const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value));
const ms = fc.integer({ min: 1, max: 86_400_000 });
const duration = fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const instant = fc.double({ min: 1, max: 4e12, noNaN: true, noDefaultInfinity: true });
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const report: fc.Arbitrary<AttemptReport> = fc.oneof(
  fc.record({ kind: fc.constant("succeeded" as const), result: orNull(json) }),
  fc.record({
    kind: fc.constant("failed" as const),
    error: fc.record({ code: fc.constantFrom(...taskErrorCodes), name: text, message: text, stack: orNull(someText) }),
    retryable: fc.boolean(),
    retryAfterMs: orNull(fc.integer({ min: 0, max: 86_400_000 })),
  }),
  fc.record({ kind: fc.constant("snoozed" as const), delayMs: fc.nat(86_400_000) }),
  fc.record({ kind: fc.constant("discarded" as const), reason: text }),
  fc.constant({ kind: "cancelled" as const }),
  fc.constant({ kind: "released" as const }),
);

const retry = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 1_000 }),
  backoff: fc.record({
    kind: fc.constantFrom("fixed" as const, "linear" as const, "exponential" as const),
    initialMs: ms,
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    maxMs: ms,
    jitter: fc.constantFrom("full" as const, "none" as const),
  }),
});

const workerMessage: fc.Arbitrary<WorkerMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    hello: fc.record({
      worker: name,
      version: text,
      types: fc.array(fc.record({ type: name, queue: orNull(name), retry: orNull(retry), timeoutMs: orNull(ms) })),
      queues: fc.array(name),
      labels: fc.dictionary(name, text, { noNullPrototype: true }),
      slots: fc.nat(10_000),
      held: fc.array(ref),
    }),
  }),
  fc.record({ kind: fc.constant("capacity" as const), slots: fc.nat(10_000) }),
  fc.record({
    kind: fc.constant("outcomes" as const),
    outcomes: fc.array(fc.record({ id, token: id, report, waitedMs: duration, ranMs: duration, keptMs: duration })),
  }),
  fc.record({
    kind: fc.constant("logs" as const),
    lines: fc.array(
      fc.record({
        id,
        token: id,
        at: instant,
        level: fc.constantFrom("debug" as const, "info" as const, "warn" as const, "error" as const),
        message: text,
        attempt: fc.nat(1_000_000),
      }),
    ),
  }),
  fc.record({
    kind: fc.constant("progress" as const),
    reports: fc.array(
      fc.record({
        id,
        token: id,
        fraction: fc.double({ min: 0, max: 1, noNaN: true }),
        message: orNull(text.filter((words) => words !== "")),
      }),
    ),
  }),
  fc.constant({ kind: "ping" as const }),
  fc.constant({ kind: "leaving" as const }),
);

const given = fc.record({
  id,
  token: id,
  namespace: name,
  type: name,
  queue: name,
  payload: orNull(json),
  attempt: fc.nat(1_000_000),
  dueAt: instant,
  fireAt: orNull(instant),
  schedule: orNull(name),
  timeoutMs: ms,
});
const rare = fc.record({ parents: json, workflow: fc.record({ id, key: name }) }, { requiredKeys: [] });
const assignedTask: fc.Arbitrary<AssignedTask> = fc.tuple(given, rare).map(([all, some]) => ({ ...all, ...some }));

const nodeMessage: fc.Arbitrary<NodeMessage> = fc.oneof(
  fc.record({ kind: fc.constant("welcome" as const), node: text, nodes: fc.array(fc.webUrl()), now: instant }),
  fc.record({ kind: fc.constant("tasks" as const), tasks: fc.array(assignedTask) }),
  fc.record({
    kind: fc.constant("recorded" as const),
    outcomes: fc.array(fc.record({ id, token: id, accepted: fc.boolean() })),
  }),
  fc.record({
    kind: fc.constant("cancels" as const),
    cancels: fc.array(fc.record({ id, token: id, reason: orNull(someText) })),
  }),
  fc.constant({ kind: "pong" as const }),
  fc.record({ kind: fc.constant("lost" as const), tasks: fc.array(ref) }),
  fc.record({ kind: fc.constant("go-elsewhere" as const), nodes: fc.array(fc.webUrl()) }),
);

const overTheWire = (message: WorkerMessage) =>
  fromWorkRequest(fromBinary(WorkRequestSchema, toBinary(WorkRequestSchema, toWorkRequest(message))));
const backOverTheWire = (message: NodeMessage) =>
  fromWorkResponse(fromBinary(WorkResponseSchema, toBinary(WorkResponseSchema, toWorkResponse(message))));

test("what a worker says arrives as it was said", () => {
  fc.assert(
    fc.property(workerMessage, (message) => {
      expect(overTheWire(message)).toEqual(message);
    }),
    { numRuns: 500 },
  );
});

test("what a node says arrives as it was said", () => {
  fc.assert(
    fc.property(nodeMessage, (message) => {
      expect(backOverTheWire(message)).toEqual(message);
    }),
    { numRuns: 500 },
  );
});

test("a message of a newer version is ignored on both sides, and unknown fields of a known one too", () => {
  // Field 15, length-delimited, five bytes; then a known one with an unknown field.
  const newer = new Uint8Array([0x7a, 5, 1, 2, 3, 4, 5]);
  expect(fromWorkRequest(fromBinary(WorkRequestSchema, newer))).toBeNull();
  expect(fromWorkResponse(fromBinary(WorkResponseSchema, newer))).toBeNull();
  const capacity = new Uint8Array([0x12, 4, 0x08, 7, 0x78, 1]);
  expect(fromWorkRequest(fromBinary(WorkRequestSchema, capacity))).toEqual({ kind: "capacity", slots: 7 });
});

test("a report of a newer version gives the task back", () => {
  const outcome: ReportedOutcome = {
    id: 1n,
    token: 1n,
    report: { kind: "cancelled" },
    waitedMs: 0,
    ranMs: 1,
    keptMs: 0,
  };
  const request = toWorkRequest({ kind: "outcomes", outcomes: [outcome] });
  if (request.message.case !== "outcomes") throw new Error("expected outcomes");
  request.message.value.outcomes[0]!.report = { case: undefined };
  expect(fromWorkRequest(request)).toMatchObject({ outcomes: [{ id: 1n, report: { kind: "released" } }] });
});

// ------------------------------------------------------------------------------------------------------- not on trust

const hello: Hello = { worker: "w", version: "1", types: [], queues: [], labels: {}, slots: 1, held: [] };
const type = (over: object) => create(HelloSchema, { worker: "w", types: [{ type: "t", ...over }] });

test("a hello that cannot be served is refused with the field that is wrong", () => {
  const wrong: [string, ReturnType<typeof type>][] = [
    ["/worker", create(HelloSchema, { worker: "" })],
    ["/worker", create(HelloSchema, { worker: "a b" })],
    ["/queues", create(HelloSchema, { worker: "w", queues: ["ok", "not ok"] })],
    ["/labels", create(HelloSchema, { worker: "w", labels: { "a b": "c" } })],
    ["/labels", create(HelloSchema, { worker: "w", labels: { a: "c".repeat(300) } })],
    ["/labels", create(HelloSchema, { worker: "w", labels: { worker: "another" } })],
    [
      "/labels",
      create(HelloSchema, {
        worker: "w",
        labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, ""])),
      }),
    ],
    ["/types", create(HelloSchema, { worker: "w", types: [{ type: "" }] })],
    ["/types", create(HelloSchema, { worker: "w", types: Array.from({ length: 10_001 }, () => ({ type: "t" })) })],
    ["/types/queue", type({ queue: "a b" })],
    ["/types/retry", type({ retry: "{" })],
    ["/types/retry", type({ retry: "null" })],
    ["/types/retry", type({ retry: '{"maxAttempts":0}' })],
    ["/types/retry", type({ retry: '{"maxAttempts":"5"}' })],
    ["/types/retry", type({ retry: '{"maxAttempts":1.5}' })],
    ["/types/retry", type({ retry: '{"backoff":{"kind":"random"}}' })],
    ["/types/retry", type({ retry: '{"backoff":{"factor":1e9}}' })],
    ["/types/retry", type({ retry: '{"backoff":{"max":"8d"}}' })],
    ["/retry/backoff/initial", type({ retry: '{"backoff":{"initial":"soon"}}' })],
  ];
  for (const [pointer, value] of wrong) {
    const request = create(WorkRequestSchema, { message: { case: "hello", value } });
    expect(() => fromWorkRequest(request), JSON.stringify(value.worker + value.types[0]?.retry)).toThrow(
      expect.objectContaining({ code: "invalid_request", errors: [expect.objectContaining({ pointer })] }),
    );
  }
});

test("retry policies are said as in REST, and what is left out is the default", () => {
  const request = toWorkRequest({
    kind: "hello",
    hello: {
      ...hello,
      types: [
        {
          type: "t",
          queue: null,
          timeoutMs: null,
          retry: {
            maxAttempts: 3,
            backoff: { kind: "fixed", initialMs: 90_000, factor: 2, maxMs: 90_000, jitter: "none" },
          },
        },
      ],
    },
  });
  if (request.message.case !== "hello") throw new Error("expected hello");
  expect(JSON.parse(request.message.value.types[0]!.retry)).toEqual({
    maxAttempts: 3,
    backoff: { kind: "fixed", initial: "1m30s", factor: 2, max: "1m30s", jitter: "none" },
  });
  const short = create(WorkRequestSchema, { message: { case: "hello", value: type({ retry: '{"maxAttempts":2}' }) } });
  expect(fromWorkRequest(short)).toMatchObject({
    hello: {
      types: [{ retry: { maxAttempts: 2, backoff: { kind: "exponential", initialMs: 1_000, maxMs: 600_000 } } }],
    },
  });
});

test("numbers and texts of a careless worker are brought within the limits", () => {
  const outcome = (given: AttemptReport, times: { waitedMs?: number; ranMs?: number } = {}) => {
    const message = overTheWire({
      kind: "outcomes",
      outcomes: [{ id: 1n, token: 1n, waitedMs: 0, ranMs: 0, keptMs: 0, ...times, report: given }],
    });
    return message?.kind === "outcomes" ? message.outcomes[0]! : null;
  };
  expect(outcome({ kind: "cancelled" }, { waitedMs: Number.NaN, ranMs: -5 })).toMatchObject({
    waitedMs: 0,
    ranMs: 0,
    keptMs: 0,
  });
  expect(outcome({ kind: "cancelled" }, { ranMs: Number.POSITIVE_INFINITY })?.ranMs).toBeLessThan(1e10);
  expect(outcome({ kind: "snoozed", delayMs: 1e15 })?.report).toEqual({ kind: "snoozed", delayMs: limits.delayMs[1] });
  expect(outcome({ kind: "snoozed", delayMs: -1 })?.report).toEqual({ kind: "snoozed", delayMs: 0 });
  const failed = outcome({
    kind: "failed",
    retryable: true,
    retryAfterMs: -1,
    error: { code: "own" as never, name: "N".repeat(9_999), message: "a\0b".repeat(9_999), stack: "s".repeat(99_999) },
  });
  if (failed?.report.kind !== "failed") throw new Error("expected a failure");
  expect(failed.report).toMatchObject({ retryAfterMs: 0, error: { code: "handler_error" } });
  const { error } = failed.report;
  expect(Buffer.byteLength(error.name)).toBeLessThanOrEqual(limits.reasonBytes);
  expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(limits.logLineBytes);
  expect(Buffer.byteLength(error.stack!)).toBeLessThanOrEqual(limits.errorStackBytes);
  expect(error.message).not.toContain("\0");
  const logs = overTheWire({
    kind: "logs",
    lines: [
      { id: 1n, token: 1n, at: 1e12, level: "loud" as never, message: "x".repeat(99_999), attempt: 1 },
      { id: 1n, token: 1n, at: Number.NaN, level: "info", message: "never", attempt: 1 },
      { id: 1n, token: 1n, at: 1e300, level: "info", message: "too late", attempt: 1 },
    ],
  });
  if (logs?.kind !== "logs") throw new Error("expected logs");
  expect(logs.lines).toHaveLength(1);
  expect(logs.lines[0]!.level).toBe("info");
  expect(Buffer.byteLength(logs.lines[0]!.message)).toBeLessThanOrEqual(limits.logLineBytes);
  const greedy = create(WorkRequestSchema, { message: { case: "capacity", value: { slots: 2_000_000_000 } } });
  expect(fromWorkRequest(greedy)).toEqual({ kind: "capacity", slots: 10_000 });
  const negative = create(WorkRequestSchema, { message: { case: "capacity", value: { slots: -1 } } });
  expect(fromWorkRequest(negative)).toEqual({ kind: "capacity", slots: 0 });
});

test("a result that could not be stored or read back fails the task", () => {
  const resultOf = (result: string) => {
    const message = overTheWire({
      kind: "outcomes",
      outcomes: [{ id: 1n, token: 1n, waitedMs: 0, ranMs: 0, keptMs: 0, report: { kind: "succeeded", result } }],
    });
    return message?.kind === "outcomes" ? message.outcomes[0]!.report : null;
  };
  expect(resultOf("{")).toMatchObject({ kind: "failed", retryable: false, error: { code: "handler_error" } });
  for (const tooMuch of [`"${"x".repeat(limits.resultBytes)}"`, "[".repeat(65) + "]".repeat(65)]) {
    expect(resultOf(tooMuch)).toMatchObject({ kind: "failed", retryable: false, error: { code: "result_too_large" } });
  }
  for (const broken of ['"\\u0000"', '"\\ud800"', '{"__proto__":1}', '{"\\u005f_proto__":1}']) {
    expect(resultOf(broken), broken).toMatchObject({ kind: "failed", error: { code: "handler_error" } });
  }
});

// ------------------------------------------------------------------------------------------------------------- batches

const MiB = 1024 * 1024;

test("large batches are cut at 1 MiB, in order, and nothing is left out", () => {
  const large = fc.integer({ min: 0, max: 30_000 }).map((length) => "ä".repeat(length));
  const failed = fc.tuple(large, large).map(
    ([message, stack]): AttemptReport => ({
      kind: "failed",
      retryable: true,
      retryAfterMs: null,
      error: { code: "handler_error", name: "Error", message, stack },
    }),
  );
  fc.assert(
    fc.property(fc.array(failed, { maxLength: 60 }), (reports) => {
      const outcomes = reports.map((each, i) => ({
        id: BigInt(i + 1),
        token: 1n,
        report: each,
        waitedMs: 0,
        ranMs: 0,
        keptMs: 0,
      }));
      const parts = cutWorkerMessage({ kind: "outcomes", outcomes });
      expect(parts.flatMap((part) => (part.kind === "outcomes" ? part.outcomes : []))).toEqual(outcomes);
      for (const part of parts) expect(toBinary(WorkRequestSchema, toWorkRequest(part)).length).toBeLessThan(1.1 * MiB);
    }),
    { numRuns: 20 },
  );
  const task: AssignedTask = {
    id: 1n,
    token: 1n,
    namespace: "n",
    type: "t",
    queue: "q",
    payload: JSON.stringify("p".repeat(250_000)),
    attempt: 1,
    dueAt: 0,
    fireAt: null,
    schedule: null,
    timeoutMs: 1,
  };
  const messages: NodeMessage[] = [
    { kind: "tasks", tasks: Array.from({ length: 40 }, () => task) },
    {
      kind: "cancels",
      cancels: Array.from({ length: 10_000 }, () => ({ id: 1n, token: 1n, reason: "r".repeat(1_000) })),
    },
  ];
  for (const message of messages) {
    const parts = cutNodeMessage(message);
    expect(parts.length).toBeGreaterThan(5);
    for (const part of parts) expect(toBinary(WorkResponseSchema, toWorkResponse(part)).length).toBeLessThan(1.1 * MiB);
  }
  const lines = Array.from({ length: 5_000 }, () => ({
    id: 1n,
    token: 1n,
    at: 1,
    level: "info" as const,
    message: "l".repeat(8_000),
    attempt: 1,
  }));
  const cut = cutWorkerMessage({ kind: "logs", lines });
  expect(cut.length).toBeGreaterThan(30);
  expect(cut.flatMap((part) => (part.kind === "logs" ? part.lines : []))).toHaveLength(5_000);
  const small = Array.from({ length: 100_000 }, () => ({
    id: 2n ** 62n,
    token: 2n ** 62n,
    report: { kind: "released" as const },
    waitedMs: 0.5,
    ranMs: 0.5,
    keptMs: 0.5,
  }));
  for (const part of cutWorkerMessage({ kind: "outcomes", outcomes: small }))
    expect(toBinary(WorkRequestSchema, toWorkRequest(part)).length).toBeLessThan(MiB);
});
