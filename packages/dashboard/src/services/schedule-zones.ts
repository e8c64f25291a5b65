import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useDisplayZone } from "./display-zone.ts";
import { schedulesQuery } from "./schedules.ts";

/** The zones of the first 200 schedules by name, read only while times are shown in them. Others are shown in the viewer's zone. */
export function useScheduleZones(): Map<string, string> {
  const display = useDisplayZone();
  const { data } = useQuery({
    ...schedulesQuery({ pageSize: 200 }),
    enabled: display === "schedule",
    staleTime: 60_000,
  });
  return useMemo(() => new Map(data?.schedules.map(({ name, timeZone }) => [name, timeZone])), [data]);
}
