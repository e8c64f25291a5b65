import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";
import { useActionFailure } from "../components/action-failure.ts";
import { CopyButton } from "../components/copy-button.tsx";
import { LoadingRows } from "../components/empty-state.tsx";
import { Fact, Facts } from "../components/facts.tsx";
import { Field } from "../components/field.tsx";
import { useFailureFocus } from "../components/focus.ts";
import { useFields } from "../components/form-state.ts";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { QueueActions } from "../components/queue-actions.tsx";
import { type LimitFields, limitFieldsOf, readLimits } from "../components/queue-limits.ts";
import { StateBadge } from "../components/state-badge.tsx";
import { Time } from "../components/time.tsx";
import { formatDuration } from "../format/duration.ts";
import { curlCommand } from "../format/shell.ts";
import { problemOf, sortByField } from "../services/problem.ts";
import { putQueue, type Queue, queuePath, queueQuery, queueStatsQuery } from "../services/queues.ts";

export function QueuePage() {
  const { name } = useParams({ from: "/queues/$name" });
  const queue = useQuery(queueQuery(name));
  const [failure, reportFailure] = useActionFailure();
  const { data } = queue;
  return (
    <Page
      title={
        <span className="inline-flex flex-wrap items-center gap-3">
          {name} {data && <StateBadge state={data.paused ? "paused" : "active"} />}
        </span>
      }
      tabTitle={name}
      subtitle={
        data?.pause && (
          <>
            Nothing starts since <Time at={data.pause.at} />
            {data.pause.reason !== null && `: ${data.pause.reason}`}
          </>
        )
      }
      actions={
        <>
          {data && <QueueActions queue={data} onFailure={reportFailure} />}
          <Link to="/tasks" search={{ queue: name }} className="button">
            Its tasks
          </Link>
        </>
      }
    >
      <div className="space-y-6">
        {failure && <ProblemNotice error={failure.error} onRetry={failure.retry} />}
        {queue.error && <ProblemNotice error={queue.error} onRetry={() => void queue.refetch()} />}
        {queue.isPending && <LoadingRows />}
        <Figures name={name} />
        {data && <LimitsForm key={name} loaded={data} />}
      </div>
    </Page>
  );
}

function Figures({ name }: { name: string }) {
  const { data } = useQuery(queueStatsQuery(name));
  if (!data) return null;
  const count = (number: number) => `${number.toLocaleString("en")}${data.capped ? " or more" : ""}`;
  return (
    <Facts>
      <Fact name="May start now">{count(data.due)}</Fact>
      <Fact name="Due later">{count(data.scheduled)}</Fact>
      <Fact name="Running">{data.running.toLocaleString("en")}</Fact>
      <Fact name="First waits since">
        {data.oldestAgeMs === null ? "none waits" : formatDuration(data.oldestAgeMs)}
      </Fact>
      <Fact name="Created, finished each second">
        {data.perSecond.created.toLocaleString("en")}, {data.perSecond.finished.toLocaleString("en")}
      </Fact>
    </Facts>
  );
}

const isSame = (one: object, other: object) => JSON.stringify(one) === JSON.stringify(other);

const pointers = [
  "/concurrency",
  "/concurrencyPerKey",
  "/concurrencyPerType",
  "/maxBacklog",
  "/breaker/failures",
  "/breaker/openFor",
];
const ratePointers = ["/rateLimit", "/rateLimitPerKey"].flatMap((rate) => [
  `${rate}/limit`,
  `${rate}/per`,
  `${rate}/burst`,
]);

function LimitsForm({ loaded }: { loaded: Queue }) {
  const queryClient = useQueryClient();
  // What is being edited stays as it was opened; somebody else's change of it in between is refused by its version. A pause is none.
  const [opened, setQueue] = useState(loaded);
  const queue = isSame(limitFieldsOf(opened), limitFieldsOf(loaded)) ? loaded : opened;
  const { fields, set } = useFields(limitFieldsOf(loaded));
  const settings = readLimits(fields, queue);
  const save = useMutation({
    mutationFn: () => putQueue(queue.name, settings, queue.version),
    onSuccess: (saved) => {
      setQueue(saved);
      queryClient.setQueryData(queueQuery(saved.name).queryKey, saved);
      return queryClient.invalidateQueries({ queryKey: ["queues"] });
    },
  });
  const { byField, others } = sortByField(save.error ? problemOf(save.error) : null, [...pointers, ...ratePointers]);
  const form = useRef<HTMLFormElement>(null);
  useFailureFocus(form, save.error);

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!save.isPending) save.mutate();
  }

  const input = (field: Exclude<keyof LimitFields, "adaptive">, label: string, pointer: string, hint?: string) => (
    <Field label={label} optional {...(hint ? { hint } : {})} errors={byField[pointer]}>
      {(aria) => (
        <input
          {...aria}
          className="input"
          inputMode={field.endsWith("Per") || field === "openFor" || field === "types" ? "text" : "numeric"}
          value={fields[field]}
          onChange={(event) => set(field)(event.target.value)}
          spellCheck={false}
        />
      )}
    </Field>
  );

  return (
    <section aria-labelledby="limits">
      <h2 id="limits" className="mb-3 text-base">
        Limits
      </h2>
      <form ref={form} className="max-w-3xl space-y-5" onSubmit={submit}>
        {save.error && <ProblemNotice error={save.error} errors={others} />}
        <div className="grid gap-4 sm:grid-cols-3">
          {input("concurrency", "Tasks at once", "/concurrency", "Over all workers; empty: no limit.")}
          {input("concurrencyPerKey", "At once of a key", "/concurrencyPerKey", "1 makes a concurrency key a mutex.")}
          {input("maxBacklog", "Backlog at most", "/maxBacklog", "Creates over it are refused.")}
          {input("types", "At once of types", "/concurrencyPerType", "Such as render=2, mail=5.")}
          {input("rate", "Starts", "/rateLimit/limit")}
          {input("ratePer", "in each", "/rateLimit/per", "A duration such as 1s or 1m.")}
          {input("rateBurst", "Burst", "/rateLimit/burst", "At once after a pause; as many as starts when empty.")}
          {input("keyRate", "Starts of a key", "/rateLimitPerKey/limit")}
          {input("keyRatePer", "of a key in each", "/rateLimitPerKey/per")}
          {input("keyRateBurst", "Burst of a key", "/rateLimitPerKey/burst")}
          {input("failures", "Failures in a row", "/breaker/failures", "Of a key: then its tasks wait.")}
          {input("openFor", "wait at first", "/breaker/openFor", "Twice as long each time, up to 5m.")}
          <label className="inline-flex min-h-6 items-center gap-2 self-center">
            <input
              type="checkbox"
              className="switch"
              checked={fields.adaptive}
              onChange={(event) => set("adaptive")(event.target.checked)}
            />
            Fewer at once while they end slowly or badly
          </label>
        </div>
        <div className="flex flex-wrap items-center gap-2 border-t border-line pt-5">
          <button type="submit" className="button button-primary" aria-disabled={save.isPending}>
            Save the limits
          </button>
          <CopyButton
            visible
            label="Copy as curl"
            text={curlCommand("PUT", `${location.origin}/api/v1${queuePath(queue.name)}`, settings)}
          />
          <span aria-live="polite" className="text-muted">
            {save.isSuccess && "Saved."}
          </span>
        </div>
      </form>
    </section>
  );
}
