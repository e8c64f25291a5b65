import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { LoadingRows } from "../components/empty-state.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { ScheduleForm } from "../components/schedule-form.tsx";
import { ruleFieldsOf } from "../components/schedule-rule.ts";
import { templateOf } from "../components/task-template-fields.tsx";
import { curlCommand } from "../format/shell.ts";
import { definitionOf, replaceSchedule, type Schedule, schedulePath, scheduleQuery } from "../services/schedules.ts";

export function EditSchedulePage() {
  const { name } = useParams({ from: "/schedules/$name/edit" });
  const schedule = useQuery(scheduleQuery(name));
  return (
    <Page title={`Edit ${name}`} tabTitle={`Edit ${name}`}>
      {schedule.data ? (
        <EditForm key={name} loaded={schedule.data} />
      ) : schedule.isPending ? (
        <LoadingRows />
      ) : (
        <ProblemNotice error={schedule.error} onRetry={() => void schedule.refetch()} />
      )}
    </Page>
  );
}

function EditForm({ loaded }: { loaded: Schedule }) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  // What is being edited stays as it was opened; somebody else's change in between is refused by its version.
  const [schedule] = useState(loaded);
  const { name, task } = schedule;
  const definition = definitionOf(schedule);
  return (
    <ScheduleForm
      name={name}
      rule={ruleFieldsOf(definition)}
      template={templateOf(task)}
      base={definition}
      submitLabel="Save"
      onSubmit={(_, definition) => replaceSchedule(name, definition, schedule.version)}
      onSaved={(saved) => {
        queryClient.setQueryData(scheduleQuery(name).queryKey, saved);
        void queryClient.invalidateQueries({ queryKey: ["schedule", name] });
        void navigate({ to: "/schedules/$name", params: { name } });
      }}
      curl={(_, definition) => curlCommand("PUT", `${location.origin}/api/v1${schedulePath(name)}`, definition)}
      cancel={
        <Link to="/schedules/$name" params={{ name }} className="button button-quiet">
          Cancel
        </Link>
      }
    />
  );
}
