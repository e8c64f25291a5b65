import { useRef, useState } from "react";

/**
 * Rows that do not move while the pointer is over them: known rows take their new values in place, new ones wait and are counted.
 * `hover` goes on the element around them.
 */
export function useSteadyRows<Row>(rows: Row[], idOf: (row: Row) => string) {
  const [held, setHeld] = useState(false);
  const order = useRef<Row[]>(rows);
  if (!held) order.current = rows;
  else order.current = updateInPlace(order.current, rows, idOf);
  const known = new Set(order.current.map(idOf));
  return {
    rows: order.current,
    waiting: rows.filter((row) => !known.has(idOf(row))).length,
    release: () => setHeld(false),
    hover: {
      onPointerEnter: (event: { pointerType: string }) => setHeld(event.pointerType === "mouse"),
      onPointerLeave: () => setHeld(false),
    },
  };
}

/** The rows shown, with the values they have now. When none of them is left, it is another list: all of it. */
export function updateInPlace<Row>(shown: Row[], now: Row[], idOf: (row: Row) => string): Row[] {
  const current = new Map(now.map((row) => [idOf(row), row]));
  if (!shown.some((row) => current.has(idOf(row)))) return now;
  const updated = shown.map((row) => current.get(idOf(row)) ?? row);
  return updated.every((row, index) => row === shown[index]) ? shown : updated;
}
