import { knowsZone, viewerZone } from "./instant.ts";
import { currentName } from "./zone-names.ts";

/** Other names that people know and no browser lists. */
const aliases = [
  "US/Alaska",
  "US/Arizona",
  "US/Central",
  "US/Eastern",
  "US/Hawaii",
  "US/Mountain",
  "US/Pacific",
  ...Array.from({ length: 12 }, (_, hours) => `Etc/GMT-${hours + 1}`),
  ...Array.from({ length: 12 }, (_, hours) => `Etc/GMT+${hours + 1}`),
];

/** The zones to choose from, under their current names: the viewer's first, then UTC, then by name. */
export function timeZones(): string[] {
  const listed = Intl.supportedValuesOf("timeZone").map(currentName);
  return [...new Set([viewerZone, "UTC", ...listed.sort(), ...aliases])].filter(knowsZone);
}

/** An IANA name that this browser knows, listed or not. Offsets such as `+01:00` are none. */
export function isTimeZone(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text) && knowsZone(text);
}

/** Those that hold a text, the one that is it and those that begin with it first; a text that is a zone of another name is offered too. */
export function matchZones(zones: readonly string[], text: string): string[] {
  const wanted = normal(text);
  const matching = zones.filter((zone) => normal(zone).includes(wanted));
  const ranked = matching.sort((a, b) => rank(a, wanted) - rank(b, wanted));
  return ranked[0] !== undefined && normal(ranked[0]) === wanted
    ? ranked
    : isTimeZone(text.trim())
      ? [text.trim(), ...ranked]
      : ranked;
}

function rank(zone: string, wanted: string): number {
  const name = normal(zone);
  return name === wanted ? 0 : name.split("/").some((part) => part.startsWith(wanted)) ? 1 : 2;
}

function normal(text: string): string {
  return text.trim().toLowerCase().replaceAll(" ", "_");
}
