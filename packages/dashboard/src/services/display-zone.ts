import { useNavigate, useSearch } from "@tanstack/react-router";
import { viewerZone } from "../format/instant.ts";

/** In which zone instants are shown, everywhere on the page. It is part of the address, so that a copied link shows the same. */
export const displayZones = ["schedule", "mine", "utc"] as const;
export type DisplayZone = (typeof displayZones)[number];

export function readDisplayZone(text: unknown): DisplayZone | undefined {
  return displayZones.find((zone) => zone === text);
}

export function useDisplayZone(): DisplayZone {
  return useSearch({ strict: false }).zone ?? "schedule";
}

export function useSetDisplayZone(): (zone: DisplayZone) => void {
  const navigate = useNavigate();
  return (zone) =>
    void navigate({
      to: ".",
      search: (search) => ({ ...search, zone }),
      replace: true,
    });
}

/** The zone for one instant. What belongs to no schedule is shown in the viewer's zone. */
export function useZone(scheduleZone: string | null | undefined): string {
  const display = useDisplayZone();
  if (display === "utc") return "UTC";
  return display === "schedule" && scheduleZone ? scheduleZone : viewerZone;
}
