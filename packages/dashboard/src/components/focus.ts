import { type RefObject, useEffect, useRef } from "react";

/** Where the focus goes when what had it is gone. */
export function focusHeading(): void {
  document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
}

let shownPath: string | null = null;
let moved = false;

/**
 * Puts the focus on the heading of a page that was gone to, so that a keyboard goes on there and a screen reader says where one is. When
 * data replaces a page that was loading, the focus that was on its heading moves along.
 */
export function useHeadingFocus(heading: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const path = location.pathname;
    const arrived = shownPath !== null && shownPath !== path;
    moved ||= arrived;
    shownPath = path;
    if (arrived || (moved && lost())) heading.current?.focus({ preventScroll: true });
  }, [heading]);
}

/** For buttons that go away by what they do: gives the function that is called when one is pressed. */
export function useFocusAfter(outcome: unknown): () => void {
  const pressed = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it looks when the outcome changes
  useEffect(() => {
    if (pressed.current && lost()) focusHeading();
    pressed.current = false;
  }, [outcome]);
  return () => {
    pressed.current = true;
  };
}

/** Brings what a failed submit complains about into view: its first invalid field, or else its notice. */
export function useFailureFocus(form: RefObject<HTMLElement | null>, failure: unknown): void {
  useEffect(() => {
    if (!failure) return;
    const wrong =
      form.current?.querySelector<HTMLElement>("[aria-invalid='true']") ??
      form.current?.querySelector<HTMLElement>("[role='alert']");
    wrong?.focus({ preventScroll: true });
    wrong?.scrollIntoView({ block: "center" });
  }, [form, failure]);
}

function lost(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}
