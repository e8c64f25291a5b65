import type { ReactNode } from "react";
import { CopyButton } from "./copy-button.tsx";
import { LinkedText } from "./linked-text.tsx";

/** Longer texts are shown without colours and links: tens of thousands of elements would make the page slow. */
const COLOURED_CHARACTERS = 20_000;

export function JsonView({ value, label }: { value: unknown; label: string }) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return (
    <div className="relative">
      <div className="absolute top-2 right-2">
        <CopyButton text={text} label={`Copy ${label}`} />
      </div>
      <pre
        className="code max-h-96 overflow-auto p-4 pr-10 break-words whitespace-pre-wrap"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
        tabIndex={0}
      >
        {text.length > COLOURED_CHARACTERS ? text : colour(text)}
      </pre>
    </div>
  );
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function colour(json: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of json.matchAll(TOKEN)) {
    const [token, text, colon] = match;
    parts.push(json.slice(end, match.index));
    if (text === undefined)
      parts.push(
        <span key={match.index} className="text-info">
          {token}
        </span>,
      );
    else if (colon === undefined)
      parts.push(
        <span key={match.index} className="text-good">
          <LinkedText text={text} />
        </span>,
      );
    else
      parts.push(
        <span key={match.index} className="text-accent">
          {text}
        </span>,
        colon,
      );
    end = match.index + token.length;
  }
  parts.push(json.slice(end));
  return parts;
}
