/** Of the time zone data that this process has: `2026a`. It comes with the runtime, and core reads no other. */
export const ownZoneData = process.versions.tz ?? "unknown";
