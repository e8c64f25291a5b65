/** What is refused, in one place. Bytes are of UTF-8 JSON text. Over a limit the answer is 400, for bytes 413. */
export const limits = {
  payloadBytes: 256 * 1024,
  resultBytes: 256 * 1024,
  reasonBytes: 1024,
  errorStackBytes: 16 * 1024,
  logLineBytes: 8 * 1024,
  progressMessageBytes: 1024,
  /** What a line of a task's log counts beside its text. */
  logLineCostBytes: 64,
  taskLogBytes: 10 * 1024 * 1024,
  taskLogLines: 100_000,
  bodyBytes: 1024 * 1024,
  batchBodyBytes: 32 * 1024 * 1024,
  batchTasks: 10_000,
  jsonDepth: 64,
  jsonKeys: 10_000,
  pageSize: 200,
  defaultPageSize: 50,
  maxAttempts: 1_000,
  backoffMs: [1, 7 * 86_400_000],
  timeoutMs: [1, 30 * 86_400_000],
  startWithinMs: [1, 366 * 86_400_000],
  finishWithinMs: [1, 366 * 86_400_000],
  delayMs: [0, 3_653 * 86_400_000],
  everyMs: [1_000, 366 * 86_400_000],
  jitterMs: [0, 86_400_000],
  uniqueKeyLength: 256,
  uniqueForMs: [1, 366 * 86_400_000],
  concurrencyKeyLength: 256,
  fairKeyLength: 256,
  /** Keys of one queue that have a weight, and how heavy one may be. */
  fairWeights: 100,
  fairWeight: 100,
  /** Tasks at once, starts, tokens at most. */
  queueLimit: 1_000_000,
  /** In how long so many may start. */
  ratePerMs: [1, 31 * 86_400_000],
  limitedTypes: 100,
  breakerFailures: 20,
  breakerOpenMs: [1_000, 3_600_000],
  /** Tasks of one queue that are not final. */
  maxBacklog: 1_000_000,
  maxBacklogOfNamespace: 10_000_000,
  idempotencyKeyLength: 255,
  tags: 16,
  tagLength: 64,
  /** Labels that a task asks for; of a worker there are more. */
  requires: 8,
  labels: 64,
  labelLength: 256,
  /** Different `requires`, each with its queue and type, of one namespace. */
  requiresKinds: 5_000,
  broadcastWorkers: 1_000,
  expressionLength: 256,
  rruleLength: 2_048,
  rules: 20,
  previewFires: 1_000,
  pauseAfterFailures: 1_000,
  /** How far tasks that match are counted. */
  countedTasks: 10_000,
  backfillFires: 50_000,
  backfillMs: 366 * 86_400_000,
  /** Calendars that one schedule excludes, and as many that it includes. */
  excludes: 8,
  /** Of a rule whose fires calendars move to another day. */
  rolledFiresADay: 12,
  calendarWindows: 50,
  /** Dates of a calendar, and as many ranges. */
  calendarDates: 1_000,
  icsBytes: 256 * 1024,
  icsEvents: 2_000,
  /** Tasks that one comes after. */
  after: 1_000,
  /** The same of a request in all, and the edges of a workflow. */
  workflowEdges: 100_000,
  workflowTasks: 10_000,
  workflowNameLength: 128,
  /** What a handler is given of its parents' results: as much as a payload may be. */
  parentsBytes: 256 * 1024,
  keptAttempts: 10,
  lostWorkers: 3,
  /** For how long a recorded outcome that is sent again is known as the same. */
  repeatedOutcomeMs: 2 * 86_400_000,
} as const;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Types, queues, schedules, calendars and workers share one form: it needs no quoting in a URL, a metric label or a log line. */
export function isName(text: string): boolean {
  return NAME.test(text);
}
