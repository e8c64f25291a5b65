import type { ReactNode } from "react";

/** 16 × 16 line icons. They stand beside words, so they are hidden from screen readers. */
const shapes = {
  blocked: <path d="M5 7V5.5a3 3 0 0 1 6 0V7M4 7h8v6H4z" />,
  scheduled: <path d="M8 4.5V8l2.5 1.5M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z" />,
  queued: <path d="M3 4.5h10M3 8h10M3 11.5h6" />,
  running: <path d="M14 8a6 6 0 1 1-6-6" />,
  retrying: <path d="M13.5 6.5A5.8 5.8 0 0 0 3 5.5M2.5 9.5A5.8 5.8 0 0 0 13 10.5M3 2.5v3h3M13 13.5v-3h-3" />,
  succeeded: <path d="m3 8.5 3.5 3.5L13 4.5" />,
  failed: <path d="m4 4 8 8m0-8-8 8" />,
  cancelled: <path d="M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM4 4l8 8" />,
  skipped: <path d="M3 4l5 4-5 4zM8 4l5 4-5 4z" />,
  unknown: <path d="M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 8h.01" />,
  paused: <path d="M5.5 3.5v9M10.5 3.5v9" />,
  play: <path d="M4.5 3v10l8-5z" />,
  plus: <path d="M8 3v10M3 8h10" />,
  search: <path d="M12 7A5 5 0 1 1 2 7a5 5 0 0 1 10 0ZM10.5 10.5 14 14" />,
  copy: <path d="M6 6h7.5v7.5H6zM10 6V2.5H2.5V10H6" />,
  sun: (
    <path d="M11 8a3 3 0 1 1-6 0 3 3 0 0 1 6 0ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3.05 3.05l1.06 1.06M11.89 11.89l1.06 1.06M3.05 12.95l1.06-1.06M11.89 4.11l1.06-1.06" />
  ),
  moon: <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z" />,
  system: <path d="M2 3h12v8H2zM6 14h4M8 11v3" />,
  bolt: <path d="M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z" />,
  trash: <path d="M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9" />,
  edit: <path d="m10.5 3 2.5 2.5L5.5 13H3v-2.5z" />,
  warning: <path d="M8 2 1.5 13.5h13zM8 6.5v3.5M8 12h.01" />,
  arrow: <path d="M3 8h10M9 4l4 4-4 4" />,
  back: <path d="M13 8H3M7 4 3 8l4 4" />,
  chevron: <path d="m4 6 4 4 4-4" />,
  tasks: <path d="m2 4 1.5 1.5L6 3M2 11l1.5 1.5L6 10M8.5 4.5H14M8.5 11.5H14" />,
  lateness: <path d="M2 13.5h12M3.5 13.5v-8M7 13.5v-5M10.5 13.5v-3M14 13.5v-1" />,
  queues: <path d="M2 4h8v3H2zM2 9h8v3H2zM12.5 3.5v9M11 11l1.5 1.5L14 11" />,
  schedules: <path d="M2.5 3.5h11v10h-11zM2.5 7h11M5.5 1.5v3M10.5 1.5v3" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof shapes;

export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      className={`size-4 shrink-0 ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {shapes[name]}
    </svg>
  );
}
