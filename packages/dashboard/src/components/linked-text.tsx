import { splitLinks } from "../format/links.ts";

/** A user's text with its web addresses to follow; all of it stays text. */
export function LinkedText({ text }: { text: string }) {
  return splitLinks(text).map((part, index) =>
    part.href === null ? (
      part.text
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text have no other identity
      <a key={index} className="link" href={part.href} target="_blank" rel="noreferrer noopener">
        {part.text}
      </a>
    ),
  );
}
