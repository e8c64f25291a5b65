import { displayZones, useDisplayZone, useSetDisplayZone } from "../services/display-zone.ts";
import { type Theme, useTheme } from "../services/theme.ts";
import { Choice } from "./field.tsx";
import { Icon, type IconName } from "./icons.tsx";

const zoneLabels = { schedule: "Schedule zone", mine: "My zone", utc: "UTC" };

export function DisplayZoneSwitch() {
  const zone = useDisplayZone();
  const setZone = useSetDisplayZone();
  return (
    <Choice
      legend="Show times in"
      legendHidden
      name="display-zone"
      options={displayZones.map((value) => ({ value, label: zoneLabels[value] }))}
      value={zone}
      onChange={setZone}
    />
  );
}

const next: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const icons: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };

export function ThemeSwitch() {
  const [theme, setTheme] = useTheme();
  return (
    <button
      type="button"
      className="button button-quiet size-8 px-0 text-muted"
      aria-label={`Theme: ${theme}. Change to ${next[theme]}`}
      title={`Theme: ${theme}`}
      onClick={() => setTheme(next[theme])}
    >
      <Icon name={icons[theme]} />
    </button>
  );
}
