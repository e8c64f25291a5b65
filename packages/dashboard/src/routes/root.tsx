import { createRootRoute, Link, Outlet, retainSearchParams } from "@tanstack/react-router";
import { Icon, type IconName } from "../components/icons.tsx";
import { LiveChip } from "../components/live-chip.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { DisplayZoneSwitch, ThemeSwitch } from "../components/settings.tsx";
import { type DisplayZone, readDisplayZone } from "../services/display-zone.ts";

export interface RootSearch {
  zone?: DisplayZone;
}

export const rootRoute = createRootRoute({
  validateSearch: (search: Record<string, unknown>): RootSearch => {
    const zone = readDisplayZone(search.zone);
    return zone === undefined ? {} : { zone };
  },
  search: { middlewares: [retainSearchParams(["zone"])] },
  component: Frame,
  errorComponent: ({ error }) => (
    <div className="mx-auto max-w-2xl p-6">
      <ProblemNotice error={error} onRetry={() => location.reload()} />
    </div>
  ),
  notFoundComponent: () => (
    <Page title="There is no such page" tabTitle="No such page">
      <p className="text-muted">The address may be mistyped, or from another version of Carillon.</p>
      <Link to="/tasks" className="button mt-4">
        Go to tasks
      </Link>
    </Page>
  ),
});

function Frame() {
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[13rem_minmax(0,1fr)]">
      <a href="#content" className="button absolute top-2 left-2 z-50 not-focus:sr-only">
        Skip to the content
      </a>
      <aside className="sticky top-0 hidden h-dvh flex-col gap-6 border-r border-line bg-sunken px-3 py-4 lg:flex">
        <Brand />
        <Navigation className="flex-col" />
      </aside>
      <div className="flex min-w-0 flex-col">
        <header className="sticky top-0 z-30 flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-canvas px-4 py-2 sm:px-6 lg:h-13">
          <div className="flex min-w-0 items-center gap-3 lg:hidden">
            <Brand compact />
            <Navigation className="flex-row flex-wrap" />
          </div>
          <div className="order-1 ml-auto flex items-center gap-2 sm:order-2 sm:ml-0">
            <ThemeSwitch />
          </div>
          <div className="order-2 flex w-full items-center justify-between gap-4 sm:order-1 sm:ml-auto sm:w-auto">
            <LiveChip />
            <DisplayZoneSwitch />
          </div>
        </header>
        <div id="content" className="min-w-0 flex-1" tabIndex={-1}>
          <Outlet />
        </div>
      </div>
    </div>
  );
}

function Brand({ compact = false }: { compact?: boolean }) {
  return (
    <Link
      to="/tasks"
      className="flex shrink-0 items-center gap-2 rounded px-2 font-semibold tracking-tight max-lg:px-0"
      aria-label="Carillon"
    >
      <img src="/favicon.svg" alt="" className="size-6" />
      <span className={compact ? "max-sm:hidden" : ""}>Carillon</span>
    </Link>
  );
}

function Navigation({ className }: { className: string }) {
  return (
    <nav aria-label="Main" className={`flex gap-0.5 ${className}`}>
      <NavigationLink to="/tasks" icon="tasks" label="Tasks" />
      <NavigationLink to="/schedules" icon="schedules" label="Schedules" />
      <NavigationLink to="/failures" icon="failed" label="Failures" />
      <NavigationLink to="/workers" icon="workers" label="Workers" />
      <NavigationLink to="/lateness" icon="lateness" label="Lateness" />
    </nav>
  );
}

function NavigationLink({
  to,
  icon,
  label,
}: {
  to: "/tasks" | "/schedules" | "/failures" | "/workers" | "/lateness";
  icon: IconName;
  label: string;
}) {
  return (
    <Link
      to={to}
      className="flex h-8 items-center gap-2.5 rounded-md px-2 font-medium text-muted hover:bg-hover hover:text-ink"
      activeProps={{ className: "bg-accent-soft !text-accent" }}
    >
      <Icon name={icon} className="max-sm:hidden" />
      {label}
    </Link>
  );
}
