import { useState } from "react";

/** The fields of a form as texts, and how to change one. */
export function useFields<Fields extends object>(initial: Fields) {
  const [fields, setFields] = useState(initial);
  function set<Key extends keyof Fields>(key: Key): (value: Fields[Key]) => void {
    return (value) => setFields((before) => ({ ...before, [key]: value }));
  }
  return { fields, set, setFields };
}
