import { expect, test } from "vitest";
import { explainFire, type FireToExplain } from "./explain-fire.ts";
import { parseInstant } from "./instant.ts";
import type { OverlapPolicy } from "./overlap.ts";
import { defaultDst, jitteredDueAt, type ScheduleRule } from "./schedule.ts";

const at = (text: string) => parseInstant(`2026-11-${text}Z`)!;
const NOW = at("21T12:00:00");
const FIRE = at("21T02:00:00");
const PAST = "2026-11-21T02:00:00+00:00[UTC]";
const MINUTE = 60_000;

const nightly: ScheduleRule = {
  cron: "0 2 * * *",
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};

type Schedule = FireToExplain["schedule"];
type Task = NonNullable<FireToExplain["task"]>;

function schedule({ rule = {}, ...changes }: Partial<Omit<Schedule, "rule">> & { rule?: Partial<ScheduleRule> } = {}) {
  return {
    id: 7n,
    version: 3,
    rule: { ...nightly, ...rule },
    calendars: [],
    catchUp: { policy: "last" as const, windowMs: 24 * 60 * MINUTE, limit: 100 },
    overlap: "allow" as OverlapPolicy,
    paused: false,
    pause: null,
    fires: 20,
    plannedUntil: at("22T01:59:59"),
    nextFireAt: at("22T02:00:00"),
    createdAt: at("01T00:00:00"),
    updatedAt: at("10T00:00:00"),
    ...changes,
  };
}

function task(changes: Partial<Task> = {}): Task {
  return {
    id: "task_1",
    type: "send",
    queue: "billing",
    state: "succeeded",
    reason: null,
    createdAt: FIRE - MINUTE,
    dueAt: FIRE,
    startedAt: FIRE + 2,
    attempt: 1,
    policy: {},
    error: null,
    attempts: [],
    ...changes,
  };
}

type Fire = NonNullable<FireToExplain["fire"]>;
const row = (changes: Partial<Fire> = {}): Fire => ({
  outcome: "task",
  reason: null,
  caughtUp: false,
  backfilled: false,
  version: 3,
  ...changes,
});

function explain(changes: Partial<FireToExplain> = {}) {
  const given = { now: NOW, at: FIRE, schedule: schedule(), fire: null, task: null, downtime: null, ...changes };
  const { summary, reasons } = explainFire(given);
  for (const { message } of reasons) expect(message).toMatch(/^[A-Z].*[^.]\.$/);
  return { summary, codes: reasons.map(({ code }) => code), reasons };
}

/** With its row and this task. */
const ran = (changes: Partial<Task>, more: Partial<FireToExplain> = {}) =>
  explain({ fire: row(), task: task(changes), ...more });

test("a fire that ran in time", () => {
  expect(ran({})).toMatchObject({
    summary: `The fire of ${PAST} started on time, 2ms after its instant; its task succeeded.`,
    codes: ["on_time", "task_succeeded"],
    reasons: [{ refs: ["task_1"], until: null }, {}],
  });
});

test("a fire whose task waited for a worker", () => {
  const late = FIRE + 72_000;
  expect(ran({ startedAt: late, state: "running" })).toMatchObject({
    summary: `The fire of ${PAST} started 1m12s late: its task waited 1m12s in the queue billing until a worker for send took it; its task is running since 2026-11-21T02:01:12.000Z.`,
    codes: ["waited", "task_running"],
  });
});

test("a fire that was late for several reasons names each with its share", () => {
  const given = schedule({ rule: { jitter: "5m" } });
  const dueAt = FIRE + 60_000;
  const late = ran({ dueAt, createdAt: dueAt + 5_000, startedAt: dueAt + 8_000 }, { schedule: given });
  expect(late.codes).toEqual(["jitter", "planned_late", "waited", "task_succeeded"]);
  expect(late.summary).toBe(
    `The fire of ${PAST} started 1m8s late: the schedule's jitter made it due 1m later; its task was made 5s after it was due; its task waited 3s in the queue billing until a worker for send took it; its task succeeded.`,
  );
});

test("a fire that its jitter alone delayed is not called late", () => {
  const given = schedule({ rule: { jitter: "5m" } });
  expect(ran({ dueAt: FIRE + MINUTE, startedAt: FIRE + MINUTE + 2 }, { schedule: given }).summary).toBe(
    `The fire of ${PAST} started 1m2ms after its instant: the schedule's jitter made it due 1m later; its task succeeded.`,
  );
});

test("a fire that no node was alive for and that was caught up", () => {
  const downtime = { from: at("21T01:00:00"), until: at("21T03:00:00") };
  const made = at("21T03:00:01");
  const caught = ran({ createdAt: made, startedAt: made + 2 }, { fire: row({ caughtUp: true }), downtime });
  expect(caught).toMatchObject({
    summary: `The fire of ${PAST} started 1h1s2ms late: no node was alive from 2026-11-21T01:00:00.000Z to 2026-11-21T03:00:00.000Z, and the fire was caught up afterwards; its task succeeded.`,
    codes: ["caught_up", "task_succeeded"],
  });
});

test("a fire that was backfilled says when, and nothing else made it late", () => {
  const made = at("21T11:00:00");
  const times = { createdAt: made, dueAt: made, startedAt: made + 2 };
  const given = { fire: row({ backfilled: true }), schedule: schedule({ rule: { jitter: "5m" } }) };
  expect(ran(times, given)).toMatchObject({
    summary: `The fire of ${PAST} started 9h2ms late: it was backfilled at 2026-11-21T11:00:00.000Z, when somebody asked for it; its task succeeded.`,
    codes: ["backfilled", "task_succeeded"],
  });
});

test("a task that is tried again, failed, was called off or waits", () => {
  const error = { code: "handler_error", message: "boom\n  twice." };
  const attempts = [{ number: 1, dueAt: FIRE, startedAt: FIRE + 3 }];
  const retrying = ran({ state: "retrying", dueAt: NOW + 1_000, startedAt: null, attempts, error });
  expect(retrying.codes).toEqual(["on_time", "retry_at"]);
  expect(retrying.summary).toContain(
    "attempt 1 of its task ended with handler_error: boom twice, and the next one is due at",
  );
  expect(retrying.reasons[1]!.until).toBe(NOW + 1_000);
  expect(ran({ state: "failed", error }).summary).toMatch(/; its task failed with handler_error: boom twice\.$/);
  expect(ran({ state: "cancelled", startedAt: null, reason: "not today" }).summary).toBe(
    `The fire of ${PAST} has its task: its task was cancelled (not today).`,
  );
  const queued = ran({ state: "queued", startedAt: null, dueAt: NOW - 5_000 }, { at: NOW - 5_000 });
  expect(queued.summary).toContain("has waited 5s in the queue billing for a worker that runs send");
  const ahead = ran({ state: "scheduled", startedAt: null, dueAt: NOW + 30_000 }, { at: NOW + 30_000 });
  expect(ahead.reasons[0]).toMatchObject({ code: "due_later", until: NOW + 30_000, refs: ["task_1"] });
});

test("a long error is cut, and a task that is forgotten is said to be", () => {
  const { summary } = ran({ state: "failed", error: { code: "handler_error", message: "x".repeat(5_000) } });
  expect(summary.length).toBeLessThan(400);
  expect(explain({ fire: row() })).toMatchObject({ codes: ["forgotten"] });
});

test("a fire during a pause, recorded and still to come", () => {
  const pause = { reason: "holidays", at: at("20T00:00:00"), until: null };
  const paused = schedule({ paused: true, pause });
  const skipped = row({ outcome: "skipped", reason: "paused" });
  const words = "the schedule has been paused since 2026-11-20T00:00:00.000Z (holidays)";
  expect(explain({ schedule: paused, fire: skipped }).summary).toBe(
    `The fire of ${PAST} was skipped, because ${words}.`,
  );
  expect(explain({ fire: skipped }).summary).toBe(`The fire of ${PAST} was skipped, because the schedule was paused.`);
  const next = explain({ schedule: paused, at: at("23T02:00:00") });
  expect(next).toMatchObject({
    codes: ["paused"],
    summary: expect.stringContaining(`unless the schedule is resumed: ${words}`),
  });
});

test("a fire at the end of a pause, or later, is expected; one before is not", () => {
  const pause = { reason: null, at: at("20T00:00:00"), until: at("23T02:00:00") };
  const paused = schedule({ paused: true, pause, plannedUntil: at("21T11:00:00") });
  expect(explain({ schedule: paused, at: at("23T02:00:00") }).codes).toEqual(["expected"]);
  const before = explain({ schedule: paused, at: at("22T02:00:00") });
  expect(before.codes).toEqual(["paused"]);
  expect(before.summary).toContain("since 2026-11-20T00:00:00.000Z until 2026-11-23T02:00:00.000Z");
});

test("a fire whose task was too late to start says so, with the time that it had", () => {
  const policy = { startWithinMs: 5 * MINUTE };
  expect(ran({ state: "skipped", reason: "start_within", startedAt: null, attempt: 0, policy })).toMatchObject({
    summary: `The fire of ${PAST} has its task: its task was skipped, because it had not started within 5m of its due instant ${PAST}.`,
    codes: ["start_within"],
  });
});

test.each([
  ["skip", "21T03:00:00", "its catch-up policy runs no missed fire"],
  ["last", "21T03:00:00", "of the missed fires its catch-up policy runs the latest one, if not older than 24h"],
  ["all", "21T03:00:00", "of the missed fires its catch-up policy runs the latest 100, if not older than 24h"],
  ["last", "22T03:00:00", "it was older than the catch-up window of 24h when a node was back"],
] as const)("a missed fire under the policy %s, a node being back at %s", (policy, back, why) => {
  const given = schedule({ catchUp: { policy, windowMs: 24 * 60 * MINUTE, limit: 100 } });
  const missed = row({ outcome: "missed", reason: "no_node" });
  const downtime = { from: at("21T01:00:00"), until: at(back) };
  const told = explain({ schedule: given, fire: missed, downtime, now: at("23T00:00:00") });
  expect(told.codes).toEqual(["missed", "catch_up"]);
  expect(told.summary).toBe(
    `The fire of ${PAST} was missed, because no node was alive from 2026-11-21T01:00:00.000Z to ${new Date(at(back)).toISOString()}; ${why}.`,
  );
  expect(explain({ schedule: { ...given, version: 4 }, fire: missed }).codes).toEqual(["missed"]);
});

test("a withdrawn fire says why, and when it fires next; one that the new rule has too is expected", () => {
  const withdrawn = row({ outcome: "withdrawn", reason: "edited" });
  expect(explain({ fire: withdrawn })).toMatchObject({
    codes: ["withdrawn", "next_fire"],
    summary: `The fire of ${PAST} was withdrawn before its task started, because the schedule was changed; the next one is that of 2026-11-22T02:00:00+00:00[UTC].`,
  });
  expect(explain({ fire: withdrawn, at: at("23T02:00:00") }).codes).toEqual(["expected"]);
});

test("a coming fire is expected, later by its jitter", () => {
  const coming = at("24T02:00:00");
  expect(explain({ at: coming })).toMatchObject({
    summary: "The fire of 2026-11-24T02:00:00+00:00[UTC] is expected: its task is made shortly before.",
    reasons: [{ code: "expected", until: coming }],
  });
  const given = schedule({ rule: { jitter: "10m" } });
  const dueAt = jitteredDueAt(given.rule, 7n, coming);
  expect(explain({ at: coming, schedule: given }).reasons).toMatchObject([
    { code: "expected" },
    { code: "jitter", until: dueAt },
  ]);
});

test("a fire that is due and that nobody planned", () => {
  const behind = schedule({ plannedUntil: at("20T00:00:00") });
  expect(explain({ schedule: behind })).toMatchObject({
    codes: ["not_planned"],
    summary: `The fire of ${PAST} is due, and no node has planned this schedule further than 2026-11-20T00:00:00.000Z yet.`,
  });
});

test("an instant without a fire names its neighbours", () => {
  expect(explain({ at: at("21T05:30:00") })).toMatchObject({
    summary:
      "It does not fire at 2026-11-21T05:30:00+00:00[UTC]; the fire before is the one of 2026-11-21T02:00:00+00:00[UTC]; the next one is that of 2026-11-22T02:00:00+00:00[UTC].",
    reasons: [
      { code: "no_fire" },
      { code: "previous_fire", refs: ["2026-11-21T02:00:00.000Z"] },
      { code: "next_fire", refs: ["2026-11-22T02:00:00.000Z"], until: at("22T02:00:00") },
    ],
  });
});

test("before its start and after its end", () => {
  const bounded = schedule({ rule: { startAt: "2026-11-10T00:00:00Z", endAt: "2026-11-20T00:00:00Z" } });
  expect(explain({ schedule: bounded, at: at("05T02:00:00") }).codes).toEqual(["not_started", "next_fire"]);
  expect(explain({ schedule: bounded, at: at("25T02:00:00") }).codes).toEqual(["ended", "previous_fire"]);
  expect(explain({ schedule: bounded, at: null })).toMatchObject({
    codes: ["ended"],
    summary: "It never fires again: its end is 2026-11-20T00:00:00Z.",
  });
});

test("a schedule with a last fire has it counted", () => {
  const limited = schedule({ rule: { maxFires: 22 } });
  expect(explain({ schedule: limited, at: at("23T02:00:00") }).codes).toEqual(["expected"]);
  expect(explain({ schedule: limited, at: at("24T02:00:00") })).toMatchObject({
    codes: ["max_fires"],
    summary:
      "The fire of 2026-11-24T02:00:00+00:00[UTC] does not run: the schedule ends after 22 fires, of which 20 have become tasks.",
  });
  const over = schedule({ rule: { maxFires: 20 }, plannedUntil: Date.UTC(2200, 0, 1) });
  expect(explain({ schedule: over, at: at("24T02:00:00") }).codes[0]).toBe("max_fires");
});

test("an instant of the rule that the ledger knows nothing of", () => {
  const created = schedule({ createdAt: at("21T10:00:00"), updatedAt: at("21T10:00:00") });
  expect(explain({ schedule: created }).codes).toEqual(["before_creation", "next_fire"]);
  expect(explain({ schedule: schedule({ updatedAt: at("21T10:00:00") }) }).codes[0]).toBe("other_rule");
  expect(explain().codes[0]).toBe("forgotten");
});

test.each([
  ["skip", "an earlier task of the schedule was not final"],
  ["queue-one", "an earlier task of the schedule was not final, and another one waited for it already"],
  ["cancel-previous", "a later fire took its place before it could start"],
])("a fire skipped by the overlap policy %s", (policy, because) => {
  const fire = row({ outcome: "skipped", reason: `overlap:${policy}` });
  expect(explain({ fire })).toMatchObject({
    codes: ["overlap"],
    summary: `The fire of ${PAST} was skipped by the overlap policy ${policy}: ${because}.`,
  });
});

test("a task that waits, or has waited, for its schedule's other tasks", () => {
  const given = { schedule: schedule({ overlap: "queue-all" }), fire: row({ outcome: "task" }) };
  const waiting = task({ state: "queued", reason: "overlap", startedAt: null, attempt: 0 });
  expect(explain({ ...given, task: waiting }).summary).toBe(
    `The fire of ${PAST} has its task: its task waits until the schedule's other tasks are final, as the overlap policy queue-all says.`,
  );
  const waited = task({ dueAt: FIRE + MINUTE, startedAt: FIRE + MINUTE + 3 });
  expect(explain({ ...given, task: waited }).summary).toBe(
    `The fire of ${PAST} started 1m3ms late: its task waited 1m until the schedule's other tasks were final, as the overlap policy queue-all says; its task succeeded.`,
  );
});

test("of a fixed delay only the fire that is known is told", () => {
  const rule = { cron: null, delay: "10m" };
  const next = at("21T12:05:00");
  const given = { schedule: schedule({ rule, nextFireAt: next }) };
  expect(explain({ ...given, at: next })).toMatchObject({
    codes: ["expected"],
    summary: "The fire of 2026-11-21T12:05:00+00:00[UTC] is expected: its task is made shortly before.",
  });
  expect(explain({ ...given, at: FIRE })).toMatchObject({
    codes: ["after_end", "next_fire"],
    summary: `It does not fire at ${PAST}: it fires 10m after the task of its last fire has become final; the next one is that of 2026-11-21T12:05:00+00:00[UTC].`,
  });
  const unknown = explain({ schedule: schedule({ rule, nextFireAt: null }), at: null });
  expect(unknown).toMatchObject({
    codes: ["after_end"],
    summary: expect.stringMatching(/^When it fires next is not known yet/),
  });
  expect(explain({ ...given, fire: row(), task: task() }).codes).toEqual(["on_time", "task_succeeded"]);
});
