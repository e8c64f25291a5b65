/**
 * The store in memory, for simulation and for users' tests: the semantics of the PostgreSQL store, verb by verb, over plain objects.
 * Each verb is one step; it runs, and its answer arrives, a moment after the call, so that callers interleave as they do in production.
 */
import { createEndings } from "../endings.ts";
import type { Store } from "../store.ts";
import { deleteCalendar, putCalendar } from "./calendar-edits.ts";
import { calendars, getCalendar, listCalendars } from "./calendars.ts";
import { adopt, claim, giveBack, lanes, leases, markRunning, nextDue } from "./claims.ts";
import { createTasks, rememberedAnswer } from "./create.ts";
import type { MemoryDatabase } from "./database.ts";
import { isStopping, settleDependencies, waitsFor } from "./dependencies.ts";
import { connectedWorkers, created, nodeFigures, recordFigures, recordWorkers } from "./figures.ts";
import { watchDeadlines } from "./finish-within.ts";
import { downtimes, latestFires, listFires, planSchedules, recordDowntime } from "./fires.ts";
import { gates, judgeGates } from "./gates.ts";
import { createMemoryHints } from "./hints.ts";
import { lateness, recordLateness } from "./lateness.ts";
import { claimLimited, limitFacts, waitingForKeys } from "./limited.ts";
import {
  cancelOperation,
  createOperation,
  getOperation,
  listOperations,
  moveOperation,
  stepBackfills,
  takeOperations,
} from "./operations.ts";
import { recordOutcomes } from "./outcomes.ts";
import { recordProgress } from "./progress.ts";
import { allQueues, getQueue, listQueues, putQueue, setQueuePaused } from "./queues.ts";
import { deleteSchedule, getSchedule, listSchedules, putSchedule, scheduleTimings, setPaused } from "./schedules.ts";
import {
  closeSession,
  markSessionDead,
  openSession,
  renewSession,
  sessionStarted,
  sessions,
  takeBack,
} from "./sessions.ts";
import { skipUnstarted } from "./start-within.ts";
import { listTargets, parkTasks, probeTarget, releaseParked, setTarget, watchedTargets } from "./targets.ts";
import { countTasks, listTasks } from "./task-list.ts";
import { appendLogs, searchLogs, taskLogs } from "./task-logs.ts";
import { cancelTask, deleteTask, getTask, patchTask, retryTask, runTaskNow } from "./tasks.ts";
import { declareTypes, types } from "./types.ts";
import { countBacklogs, depths, maintain } from "./upkeep.ts";
import { addToWorkflow } from "./workflow-add.ts";
import {
  cancelWorkflow,
  createWorkflow,
  getWorkflow,
  listWorkflows,
  retryWorkflow,
  workflowTasks,
} from "./workflows.ts";
import { adoptZoneData, zoneChanges } from "./zone-data.ts";

export { createMemoryDatabase, type MemoryDatabase } from "./database.ts";
export { createFaults, type Faults, withFaults } from "./faults.ts";

/** One node's store; several over one database see each other's work and hints. */
export function createMemoryStore(database: MemoryDatabase): Store {
  const hints = createMemoryHints(database);
  const endings = createEndings();
  const verb =
    <Arguments extends unknown[], Answer>(step: (database: MemoryDatabase, ...given: Arguments) => Answer) =>
    async (...given: Arguments): Promise<Answer> => {
      await undefined;
      return step(database, ...given);
    };
  /** Which may note ends. */
  const ending =
    <Arguments extends unknown[], Answer>(call: (...given: Arguments) => Promise<Answer>) =>
    (...given: Arguments): Promise<Answer> =>
      endings.after(call(...given), () => database.ended.size > 0 || isStopping(database));
  return {
    hints,
    endings,
    databaseTime: verb(() => database.now()),

    openSession: verb(openSession),
    sessionStarted: verb(sessionStarted),
    renewSession: verb(renewSession),
    sessions: verb(sessions),
    markSessionDead: verb(markSessionDead),
    closeSession: verb(closeSession),
    takeBack: ending(verb(takeBack)),
    recordDowntime: verb(recordDowntime),
    downtimes: verb(downtimes),

    createTasks: verb(createTasks),
    rememberedAnswer: verb(rememberedAnswer),
    lanes: verb(lanes),
    nextDue: verb(nextDue),
    claim: verb(claim),
    giveBack: ending(verb(giveBack)),
    markRunning: verb(markRunning),
    recordOutcomes: ending(verb(recordOutcomes)),
    adopt: verb(adopt),
    leases: verb(leases),
    skipUnstarted: ending(verb(skipUnstarted)),
    watchDeadlines: ending(verb(watchDeadlines)),
    appendLogs: verb(appendLogs),
    recordProgress: verb(recordProgress),

    getTask: verb(getTask),
    listTasks: verb(listTasks),
    countTasks: verb(countTasks),
    taskLogs: verb(taskLogs),
    searchLogs: verb(searchLogs),
    cancelTask: ending(verb(cancelTask)),
    patchTask: verb(patchTask),
    retryTask: verb(retryTask),
    runTaskNow: verb(runTaskNow),
    deleteTask: verb(deleteTask),

    settleDependencies: verb(settleDependencies),
    waitsFor: verb(waitsFor),
    createWorkflow: verb(createWorkflow),
    addToWorkflow: ending(verb(addToWorkflow)),
    getWorkflow: verb(getWorkflow),
    workflowTasks: verb(workflowTasks),
    listWorkflows: verb(listWorkflows),
    cancelWorkflow: ending(verb(cancelWorkflow)),
    retryWorkflow: verb(retryWorkflow),

    declareTypes: verb(declareTypes),
    types: verb(types),

    putSchedule: verb(putSchedule),
    getSchedule: verb(getSchedule),
    listSchedules: verb(listSchedules),
    scheduleTimings: verb(scheduleTimings),
    deleteSchedule: verb(deleteSchedule),
    setPaused: verb(setPaused),
    planSchedules: verb(planSchedules),
    adoptZoneData: verb(adoptZoneData),
    zoneChanges: verb(zoneChanges),
    listFires: verb(listFires),
    latestFires: verb(latestFires),

    gates: verb(gates),
    judgeGates: ending(verb(judgeGates)),
    setTarget: verb(setTarget),
    probeTarget: verb(probeTarget),
    watchedTargets: verb(watchedTargets),
    listTargets: verb(listTargets),
    parkTasks: ending(verb(parkTasks)),
    releaseParked: verb(releaseParked),
    getQueue: verb(getQueue),
    putQueue: verb(putQueue),
    setQueuePaused: verb(setQueuePaused),
    listQueues: verb(listQueues),
    allQueues: verb(allQueues),
    claimLimited: verb(claimLimited),
    waitingForKeys: verb(waitingForKeys),
    limitFacts: verb(limitFacts),
    createOperation: verb(createOperation),
    getOperation: verb(getOperation),
    listOperations: verb(listOperations),
    cancelOperation: verb(cancelOperation),
    stepBackfills: verb(stepBackfills),
    takeOperations: verb(takeOperations),
    moveOperation: verb(moveOperation),

    putCalendar: verb(putCalendar),
    getCalendar: verb(getCalendar),
    listCalendars: verb(listCalendars),
    calendars: verb(calendars),
    deleteCalendar: verb(deleteCalendar),

    recordLateness: verb(recordLateness),
    lateness: verb(lateness),
    depths: verb(depths),
    created: verb(created),
    countBacklogs: verb(countBacklogs),
    recordFigures: verb(recordFigures),
    nodeFigures: verb(nodeFigures),
    recordWorkers: verb(recordWorkers),
    connectedWorkers: verb(connectedWorkers),
    maintain: verb(maintain),
    vacuum: verb(() => false),

    close: verb(() => hints.close()),
  };
}
