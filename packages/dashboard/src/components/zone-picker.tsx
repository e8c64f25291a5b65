import { Combobox } from "@base-ui/react/combobox";
import { timeZones, viewerZone, zoneOffset } from "../format/instant.ts";
import type { FieldAria } from "./field.tsx";
import { Icon } from "./icons.tsx";

const zones = timeZones();
/** Of some 420 zones only those that can be looked over are rendered; typing narrows them. */
const SHOWN = 60;

interface ZonePickerProps {
  aria: FieldAria;
  value: string;
  onChange: (zone: string) => void;
}

export function ZonePicker({ aria, value, onChange }: ZonePickerProps) {
  return (
    <Combobox.Root
      items={zones.includes(value) ? zones : [value, ...zones]}
      value={value}
      onValueChange={(zone) => zone !== null && onChange(zone)}
      limit={SHOWN}
      autoHighlight
    >
      <Combobox.InputGroup className="relative">
        <Combobox.Input {...aria} className="input pr-9" placeholder="Europe/Paris" spellCheck={false} />
        <Combobox.Trigger
          className="absolute inset-y-0 right-0 inline-flex w-9 items-center justify-center text-muted"
          aria-label="Show time zones"
        >
          <Icon name="chevron" />
        </Combobox.Trigger>
      </Combobox.InputGroup>
      <Combobox.Portal>
        <Combobox.Positioner className="z-50 outline-none" sideOffset={4}>
          <Combobox.Popup className="w-[var(--anchor-width)] overflow-hidden rounded-lg border border-line bg-raised shadow-xl">
            <Combobox.Empty>
              <p className="px-3 py-2.5 text-muted">No such time zone.</p>
            </Combobox.Empty>
            <Combobox.List className="max-h-[min(18rem,var(--available-height))] overflow-y-auto overscroll-contain p-1 empty:p-0">
              {(zone: string) => (
                <Combobox.Item
                  key={zone}
                  value={zone}
                  className="flex cursor-default items-baseline justify-between gap-3 rounded px-2.5 py-1.5 data-highlighted:bg-accent-soft data-selected:font-medium"
                >
                  <span className="min-w-0 break-words">
                    {zone} {zone === viewerZone && <span className="text-xs font-normal text-muted">· my zone</span>}
                  </span>
                  <span className="text-xs whitespace-nowrap text-muted tabular-nums">
                    {zoneOffset(zone, Date.now())}
                  </span>
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}
