import { Link } from "@tanstack/react-router";
import type { WorkflowTask } from "../services/workflows.ts";
import { placeTasks } from "./graph-layout.ts";
import { lookOf } from "./state-badge.tsx";

const WIDTH = 168;
const HEIGHT = 44;
const GAP_X = 56;
const GAP_Y = 14;
const MARGIN = 12;
const LETTERS = 20;

const fills: Record<string, string> = {
  queued: "fill-info-soft stroke-info",
  running: "fill-accent-soft stroke-accent",
  retrying: "fill-warn-soft stroke-warn",
  succeeded: "fill-good-soft stroke-good",
  failed: "fill-bad-soft stroke-bad",
};

/** The tasks as boxes, from left to right in their order. The table beside it says the same in words. */
export function WorkflowGraph({ tasks }: { tasks: WorkflowTask[] }) {
  const placed = placeTasks(tasks).map(({ key, column, row }) => ({
    key,
    x: MARGIN + column * (WIDTH + GAP_X),
    y: MARGIN + row * (HEIGHT + GAP_Y),
  }));
  const places = new Map(placed.map((place) => [place.key, place]));
  const width = Math.max(...placed.map(({ x }) => x)) + WIDTH + MARGIN;
  const height = Math.max(...placed.map(({ y }) => y)) + HEIGHT + MARGIN;
  return (
    <section className="card overflow-auto" aria-label="Graph">
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="The tasks in their order"
      >
        {tasks.flatMap(({ key, after }) =>
          after.map((parent) => {
            const from = places.get(parent);
            const to = places.get(key);
            if (!from || !to) return null;
            const [x1, y1] = [from.x + WIDTH, from.y + HEIGHT / 2];
            const [x2, y2] = [to.x, to.y + HEIGHT / 2];
            const middle = x2 - GAP_X / 2;
            return (
              <path
                key={`${parent} ${key}`}
                d={`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`}
                className="fill-transparent stroke-line"
                strokeWidth="1.5"
              />
            );
          }),
        )}
        {tasks.map((task) => {
          const { x, y } = places.get(task.key)!;
          const state = task.state ?? "forgotten";
          return (
            <Link key={task.key} to="/tasks/$id" params={{ id: task.id }} data-graph-state={state}>
              <rect
                x={x}
                y={y}
                width={WIDTH}
                height={HEIGHT}
                rx="8"
                className={fills[state] ?? "fill-idle-soft stroke-line"}
              />
              <text x={x + 10} y={y + 18} className="fill-ink text-xs font-medium">
                {short(task.key)}
              </text>
              <text x={x + 10} y={y + 34} className="fill-muted text-xs">
                {task.state === null ? "Forgotten" : lookOf(state).label}
                {task.when !== null && task.when !== "all" && ` · ${task.when}`}
              </text>
            </Link>
          );
        })}
      </svg>
    </section>
  );
}

const short = (text: string) => (text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text);
