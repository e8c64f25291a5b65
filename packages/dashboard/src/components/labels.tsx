/** Labels of a worker, or those that a task asks for. */
export function Labels({ labels }: { labels: Record<string, string> }) {
  return (
    <span className="flex flex-wrap gap-1.5">
      {Object.entries(labels).map(([key, value]) => (
        <span key={key} className="rounded bg-idle-soft px-1.5 text-xs break-all text-idle">
          {key}={value}
        </span>
      ))}
    </span>
  );
}
