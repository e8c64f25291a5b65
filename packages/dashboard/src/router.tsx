import { createRoute, createRouter, redirect } from "@tanstack/react-router";
import { lazyPage } from "./components/lazy-page.tsx";
import { rootRoute } from "./routes/root.tsx";
import { scheduleRoute } from "./routes/schedule.tsx";
import { schedulesRoute } from "./routes/schedules.tsx";
import { taskRoute } from "./routes/task.tsx";
import { tasksRoute } from "./routes/tasks.tsx";
import { readWindow } from "./services/lateness.ts";

const indexRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/tasks", search: true, replace: true });
  },
});

const Lateness = lazyPage(async () => (await import("./routes/lateness.tsx")).LatenessPage);
const Failures = lazyPage(async () => (await import("./routes/failures.tsx")).FailuresPage);
const Queues = lazyPage(async () => (await import("./routes/queues.tsx")).QueuesPage);
const Queue = lazyPage(async () => (await import("./routes/queue.tsx")).QueuePage);
const Workers = lazyPage(async () => (await import("./routes/workers.tsx")).WorkersPage);
const Workflows = lazyPage(async () => (await import("./routes/workflows.tsx")).WorkflowsPage);
const Workflow = lazyPage(async () => (await import("./routes/workflow.tsx")).WorkflowPage);
const ReplayTask = lazyPage(async () => (await import("./routes/replay-task.tsx")).ReplayTaskPage);
const NewTask = lazyPage(async () => (await import("./routes/new-task.tsx")).NewTaskPage);
const NewSchedule = lazyPage(async () => (await import("./routes/new-schedule.tsx")).NewSchedulePage);
const EditSchedule = lazyPage(async () => (await import("./routes/edit-schedule.tsx")).EditSchedulePage);

/** Forms come when they are asked for, at the latest: a click must not depend on a server that has gone away since. */
export function preloadForms(): void {
  for (const page of [
    NewTask,
    ReplayTask,
    NewSchedule,
    EditSchedule,
    Workflows,
    Workflow,
    Queues,
    Queue,
    Failures,
    Workers,
    Lateness,
  ])
    void page.preload();
}

const latenessRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/lateness",
  validateSearch: (search: Record<string, unknown>) => readWindow(search.window),
  component: Lateness,
});

const workflowsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workflows",
  component: Workflows,
});
const workflowRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workflows/$id",
  component: Workflow,
});

const failuresRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/failures",
  component: Failures,
});

const queuesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/queues",
  validateSearch: (search: Record<string, unknown>): { page?: string } =>
    typeof search.page === "string" ? { page: search.page } : {},
  component: Queues,
});
const queueRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/queues/$name",
  component: Queue,
});

const workersRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workers",
  component: Workers,
});

// A schedule may be called "new", but no name begins with a dash.
const newTaskRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/tasks/-/new",
  component: NewTask,
});
const replayTaskRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/tasks/$id/replay",
  component: ReplayTask,
});
const newScheduleRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/schedules/-/new",
  component: NewSchedule,
});
const editScheduleRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/schedules/$name/edit",
  component: EditSchedule,
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    indexRoute,
    tasksRoute,
    taskRoute,
    newTaskRoute,
    replayTaskRoute,
    schedulesRoute,
    scheduleRoute,
    newScheduleRoute,
    editScheduleRoute,
    workflowsRoute,
    workflowRoute,
    queuesRoute,
    queueRoute,
    failuresRoute,
    workersRoute,
    latenessRoute,
  ]),
  // Plain texts, so that an address can be read and written by hand: ?state=failed,retrying&q=invoice
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const given = Object.entries(search).filter(([, value]) => value !== undefined && String(value) !== "");
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return text === "" ? "" : `?${text.replaceAll("%2C", ",")}`;
  },
  scrollRestoration: true,
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
