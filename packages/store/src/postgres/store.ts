/** The store in PostgreSQL: what Carillon runs on. One function per verb, each in the file of its noun; here they meet. */
import { createEndings } from "../endings.ts";
import type { Store } from "../store.ts";
import { stepBackfills } from "./backfill.ts";
import { countBacklogs } from "./backlogs.ts";
import { deleteCalendar, putCalendar } from "./calendar-edits.ts";
import { calendars, getCalendar, listCalendars } from "./calendars.ts";
import { claim, nextDue } from "./claim.ts";
import { connectedWorkers, recordWorkers } from "./connected-workers.ts";
import type { ConnectionTarget } from "./connection.ts";
import { createCreateTasks } from "./create.ts";
import { openPools } from "./db.ts";
import { settleDependencies, waitsFor } from "./dependencies.ts";
import { depths } from "./depths.ts";
import { downtimes, recordDowntime } from "./downtime.ts";
import { created, nodeFigures, recordFigures } from "./figures.ts";
import { watchDeadlines } from "./finish-within.ts";
import { latestFires, listFires } from "./fires.ts";
import { gates } from "./gates.ts";
import { createHints } from "./hints.ts";
import { judgeGates } from "./judge-gates.ts";
import { rememberedAnswer } from "./keyed-insert.ts";
import { createCatalog } from "./lanes.ts";
import { lateness, recordLateness } from "./lateness.ts";
import { adopt, giveBack, leases, markRunning, takeBack } from "./leases.ts";
import { claimLimited, limitFacts, waitingForKeys } from "./limited.ts";
import { countTasks, listTasks, taskLogs } from "./list.ts";
import { createAppendLogs } from "./logs.ts";
import {
  cancelOperation,
  createOperation,
  getOperation,
  listOperations,
  moveOperation,
  takeOperations,
} from "./operations.ts";
import { createRecordOutcomes } from "./outcomes.ts";
import { cancelTask, deleteTask, patchTask, retryTask, runTaskNow } from "./people.ts";
import { planSchedules } from "./plan.ts";
import { recordProgress } from "./progress.ts";
import { allQueues, getQueue, listQueues, putQueue, setQueuePaused } from "./queues.ts";
import { getTask } from "./records.ts";
import { deleteSchedule, getSchedule, listSchedules, putSchedule, scheduleTimings, setPaused } from "./schedules.ts";
import { searchLogs } from "./search-logs.ts";
import { closeSession, markSessionDead, openSession, renewSession, sessionStarted, sessions } from "./sessions.ts";
import { skipUnstarted } from "./start-within.ts";
import { listTargets, parkTasks, probeTarget, releaseParked, setTarget, watchedTargets } from "./targets.ts";
import type { Timers } from "./timers.ts";
import { declareTypes, types } from "./types.ts";
import { maintain } from "./upkeep.ts";
import { createVacuum } from "./vacuum.ts";
import { createAddToWorkflow } from "./workflow-add.ts";
import {
  cancelWorkflow,
  createCreateWorkflow,
  getWorkflow,
  listWorkflows,
  retryWorkflow,
  workflowTasks,
} from "./workflows.ts";
import { adoptZoneData, zoneChanges } from "./zone-data.ts";

export interface PostgresStoreOptions {
  /** A URL, or the same as fields. */
  connectionString: ConnectionTarget;
  /** Past a pooler, for what needs a session. Behind a pooler without, there are no hints. */
  directUrl?: ConnectionTarget | undefined;
  /** Told how long each statement took. */
  statementTimer?: ((name: string, seconds: number) => void) | undefined;
  /** Told what an operator may want to know, in one sentence. */
  log?: ((message: string) => void) | undefined;
  timers?: Timers | undefined;
}

/** The schema must be there (`migrate`). */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const pools = await openPools({
    connection: options.connectionString,
    direct: options.directUrl,
    statementTimer: options.statementTimer,
    log: options.log,
    timers: options.timers,
  });
  const { control, claims, outcomes, reads } = pools;
  const catalog = createCatalog(pools.inserts);
  const hints = createHints(pools);
  const endings = createEndings();
  const vacuum = createVacuum(pools);
  const addToWorkflow = createAddToWorkflow(pools, catalog);
  return {
    hints,
    endings,
    async databaseTime() {
      const [row] = await pools.sessions.query<[number]>(selectTime, []);
      return row![0];
    },

    openSession: (session) => openSession(pools.sessions, session),
    sessionStarted: (id) => sessionStarted(control, id),
    renewSession: (id, now) => renewSession(pools.sessions, id, now),
    sessions: () => sessions(pools.sessions),
    markSessionDead: (id, beat, now) => markSessionDead(pools.sessions, id, beat, now),
    closeSession: (id, now) => closeSession(pools.sessions, id, now),
    takeBack: (session, request) => endings.after(takeBack(pools, session, request)),
    recordDowntime: (downtime) => recordDowntime(control, downtime),
    downtimes: (since) => downtimes(control, since),

    createTasks: createCreateTasks(pools, catalog),
    rememberedAnswer: (namespace, key, now) => rememberedAnswer(reads, namespace, key, now),
    lanes: () => catalog.lanes(),
    nextDue: (laneIds) => nextDue(claims, laneIds),
    claim: (request) => claim(claims, catalog, request),
    giveBack: (session, tasks) => giveBack(pools, session, tasks, endings.noted),
    markRunning: (tasks) => markRunning(outcomes, tasks),
    recordOutcomes: createRecordOutcomes(pools, endings.noted),
    adopt: (session, namespace, tasks) => adopt(outcomes, catalog, session, namespace, tasks),
    leases: (session) => leases(pools.sessions, session),
    skipUnstarted: (request) => endings.after(skipUnstarted(pools, catalog, request), (skipped) => skipped.length > 0),
    watchDeadlines: (request) =>
      endings.after(watchDeadlines(pools, catalog, request), ({ failed }) => failed.length > 0),
    appendLogs: createAppendLogs(pools),
    recordProgress: (reports, now) => recordProgress(pools, reports, now),

    getTask: (namespace, id) => getTask(reads, namespace, id),
    listTasks: (namespace, query) => listTasks(reads, namespace, query),
    countTasks: (namespace, query) => countTasks(reads, namespace, query),
    taskLogs: (namespace, id, query) => taskLogs(reads, namespace, id, query),
    searchLogs: (ids, query) => searchLogs(reads, ids, query),
    cancelTask: (namespace, id, request) => endings.after(cancelTask(control, namespace, id, request)),
    patchTask: (namespace, id, patch, now) => patchTask(control, namespace, id, patch, now),
    retryTask: (namespace, id, now) => retryTask(control, namespace, id, now),
    runTaskNow: (namespace, id, now) => runTaskNow(control, namespace, id, now),
    deleteTask: (namespace, id) => deleteTask(control, namespace, id),

    settleDependencies: (request) => settleDependencies(pools, catalog, request),
    waitsFor: (namespace, id, limit) => waitsFor(reads, namespace, id, limit),
    createWorkflow: createCreateWorkflow(pools, catalog),
    addToWorkflow: (namespace, id, request) =>
      endings.after(addToWorkflow(namespace, id, request), ({ kind }) => kind === "done"),
    getWorkflow: (namespace, id) => getWorkflow(reads, namespace, id),
    workflowTasks: (namespace, id) => workflowTasks(reads, namespace, id),
    listWorkflows: (namespace, query) => listWorkflows(reads, namespace, query),
    cancelWorkflow: (namespace, id, request) => endings.after(cancelWorkflow(control, namespace, id, request)),
    retryWorkflow: (namespace, id, request) => retryWorkflow(pools, catalog, namespace, id, request),

    declareTypes: (namespace, declared, now) => declareTypes(control, namespace, declared, now),
    types: (namespace) => types(reads, namespace),

    putSchedule: (schedule) => putSchedule(control, schedule),
    getSchedule: (namespace, name, now) => getSchedule(reads, namespace, name, now),
    listSchedules: (namespace, query) => listSchedules(reads, namespace, query),
    scheduleTimings: (namespace, query) => scheduleTimings(reads, namespace, query),
    deleteSchedule: (namespace, name, now) => deleteSchedule(control, namespace, name, now),
    setPaused: (namespace, name, request) => setPaused(control, namespace, name, request),
    planSchedules: (request, plan) => planSchedules(control, catalog, request, plan),
    adoptZoneData: (request, shift) => adoptZoneData(control, request, shift),
    zoneChanges: (namespace, query) => zoneChanges(reads, namespace, query),
    listFires: (schedule, query) => listFires(reads, schedule, query),
    latestFires: (schedule, query) => latestFires(reads, schedule, query),

    gates: (query) => gates(control, query),
    judgeGates: (request) =>
      endings.after(judgeGates(pools, catalog, request), ({ cancelled }) => cancelled.length > 0),
    setTarget: (change, now) => setTarget(control, change, now),
    probeTarget: (id, request) => probeTarget(control, id, request),
    watchedTargets: () => watchedTargets(control),
    listTargets: (namespace, query) => listTargets(reads, namespace, query),
    parkTasks: (session, tasks, now) => endings.after(parkTasks(pools, session, tasks, now)),
    releaseParked: (request) => releaseParked(pools, catalog, request),
    getQueue: (namespace, name) => getQueue(reads, namespace, name),
    putQueue: (request) => putQueue(control, request),
    setQueuePaused: (namespace, name, request) => setQueuePaused(control, namespace, name, request),
    listQueues: (namespace, query) => listQueues(reads, namespace, query),
    allQueues: () => allQueues(control),
    claimLimited: (request) => claimLimited(pools, catalog, request),
    waitingForKeys: (laneIds) => waitingForKeys(claims, laneIds),
    limitFacts: (namespace, queue, query) => limitFacts(reads, namespace, queue, query),
    createOperation: (operation, now) => createOperation(control, operation, now),
    getOperation: (namespace, id) => getOperation(reads, namespace, id),
    listOperations: (namespace, query) => listOperations(reads, namespace, query),
    cancelOperation: (namespace, id, now) => cancelOperation(control, namespace, id, now),
    stepBackfills: (request, plan) => stepBackfills(control, catalog, request, plan),
    takeOperations: (request) => takeOperations(control, request),
    moveOperation: (id, page, now) => moveOperation(control, id, page, now),

    putCalendar: (calendar, nextFireAt) => putCalendar(control, calendar, nextFireAt),
    getCalendar: (namespace, name) => getCalendar(reads, namespace, name),
    listCalendars: (namespace, query) => listCalendars(reads, namespace, query),
    calendars: (namespace, names) => calendars(reads, namespace, names),
    deleteCalendar: (namespace, name) => deleteCalendar(control, namespace, name),

    recordLateness: (writer, windows) => recordLateness(control, writer, windows),
    lateness: (namespace, range) => lateness(reads, namespace, range),
    depths: (request) => depths(reads, catalog, request),
    created: (request) => created(reads, catalog, request),
    countBacklogs: (queues) => countBacklogs(reads, queues),
    recordFigures: (session, figures) => recordFigures(pools.sessions, session, figures),
    nodeFigures: () => nodeFigures(reads),
    recordWorkers: (session, workers) => recordWorkers(pools.sessions, session, workers),
    connectedWorkers: (namespace) => connectedWorkers(reads, namespace),
    maintain: (request) => maintain(pools, request),
    vacuum: () => vacuum.run(),

    async close() {
      await hints.close();
      await vacuum.close();
      await pools.close();
    },
  };
}

/** Not `now()`: a pooler may have begun the transaction before. */
const selectTime = {
  name: "select_time",
  text: "select (extract(epoch from clock_timestamp()) * 1000)::float8",
};
