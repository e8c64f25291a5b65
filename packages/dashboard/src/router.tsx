import { createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { rootRoute } from "./routes/root.tsx";
import { scheduleRoute } from "./routes/schedule.tsx";
import { schedulesRoute } from "./routes/schedules.tsx";
import { taskRoute } from "./routes/task.tsx";
import { tasksRoute } from "./routes/tasks.tsx";

const indexRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/tasks", search: true, replace: true });
  },
});

// Forms come when they are asked for. A schedule may be called "new", but no name begins with a dash.
const newTaskRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/tasks/-/new",
  component: lazyRouteComponent(() => import("./routes/new-task.tsx"), "NewTaskPage"),
});
const newScheduleRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/schedules/-/new",
  component: lazyRouteComponent(() => import("./routes/new-schedule.tsx"), "NewSchedulePage"),
});
const editScheduleRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/schedules/$name/edit",
  component: lazyRouteComponent(() => import("./routes/edit-schedule.tsx"), "EditSchedulePage"),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    indexRoute,
    tasksRoute,
    taskRoute,
    newTaskRoute,
    schedulesRoute,
    scheduleRoute,
    newScheduleRoute,
    editScheduleRoute,
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
