import { Autocomplete } from "@base-ui/react/autocomplete";
import { useState } from "react";
import { viewerZone, zoneOffset } from "../format/instant.ts";
import { isTimeZone, matchZones, timeZones } from "../format/zones.ts";
import type { FieldAria } from "./field.tsx";
import { Icon } from "./icons.tsx";

const zones = timeZones();
/** Of some 450 zones only those that can be looked over are rendered; typing narrows them. */
const SHOWN = 60;

interface ZonePickerProps {
  aria: FieldAria;
  /** As it is typed: any name that `isTimeZone` takes, listed or not. */
  value: string;
  onChange: (text: string) => void;
}

/** What is typed stays as it is, also when it is no zone: then the field is invalid. */
export function ZonePicker({ aria, value, onChange }: ZonePickerProps) {
  const [typed, setTyped] = useState(false);
  return (
    <Autocomplete.Root
      items={zones}
      filteredItems={(typed ? matchZones(zones, value) : zones).slice(0, SHOWN)}
      value={value}
      onValueChange={(text, { reason }) => {
        setTyped(reason === "input-change");
        onChange(text);
      }}
      onOpenChange={(open, { reason }) => open && reason !== "input-change" && setTyped(false)}
      openOnInputClick
      autoHighlight
    >
      <Autocomplete.InputGroup className="relative">
        <Autocomplete.Input {...aria} required className="input pr-9" placeholder="Europe/Paris" spellCheck={false} />
        <Autocomplete.Trigger
          className="absolute inset-y-0 right-0 inline-flex w-9 items-center justify-center text-muted"
          aria-label="Show time zones"
        >
          <Icon name="chevron" />
        </Autocomplete.Trigger>
      </Autocomplete.InputGroup>
      <Autocomplete.Portal>
        <Autocomplete.Positioner className="z-50 outline-none" sideOffset={4}>
          <Autocomplete.Popup className="w-[var(--anchor-width)] overflow-hidden rounded-lg border border-line bg-raised shadow-xl">
            <Autocomplete.Empty>
              <p className="px-3 py-2.5 text-muted">No such time zone. Names are as in Europe/Paris.</p>
            </Autocomplete.Empty>
            <Autocomplete.List className="max-h-[min(18rem,var(--available-height))] overflow-y-auto overscroll-contain p-1 empty:p-0">
              {(zone: string) => (
                <Autocomplete.Item
                  key={zone}
                  value={zone}
                  className="flex cursor-default items-baseline justify-between gap-3 rounded px-2.5 py-1.5 data-highlighted:bg-accent-soft"
                >
                  <span className="min-w-0 break-words">
                    {zone} {zone === viewerZone && <span className="text-xs font-normal text-muted">· my zone</span>}
                  </span>
                  <span className="text-xs whitespace-nowrap text-muted tabular-nums">
                    {zoneOffset(zone, Date.now())}
                  </span>
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Popup>
        </Autocomplete.Positioner>
      </Autocomplete.Portal>
    </Autocomplete.Root>
  );
}

/** What a field around it says about a text that is no zone. */
export function zoneErrors(text: string): string[] | undefined {
  return isTimeZone(text.trim()) ? undefined : ["This is no time zone: a name as in Europe/Paris is expected."];
}
