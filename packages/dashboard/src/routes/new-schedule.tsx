import { Link, useNavigate } from "@tanstack/react-router";
import { Page } from "../components/page.tsx";
import { ScheduleForm } from "../components/schedule-form.tsx";
import { emptyRow, ruleFieldsOf } from "../components/schedule-rule.ts";
import { emptyTemplate } from "../components/task-template-fields.tsx";
import { viewerZone } from "../format/instant.ts";
import { curlCommand } from "../format/shell.ts";
import { createSchedule } from "../services/schedules.ts";

export function NewSchedulePage() {
  const navigate = useNavigate();
  return (
    <Page title="New schedule" tabTitle="New schedule">
      <ScheduleForm
        name={null}
        rule={{ ...ruleFieldsOf({}), rows: [emptyRow], zone: viewerZone }}
        template={emptyTemplate}
        base={null}
        submitLabel="Create schedule"
        onSubmit={createSchedule}
        onSaved={({ name }) => void navigate({ to: "/schedules/$name", params: { name } })}
        curl={(name, definition) => curlCommand("POST", `${location.origin}/api/v1/schedules`, { name, ...definition })}
        cancel={
          <Link to="/schedules" className="button button-quiet">
            Cancel
          </Link>
        }
      />
    </Page>
  );
}
