export interface TextPart {
  text: string;
  /** Set for the addresses worth following: http and https only. */
  href: string | null;
}

/** Splits a text into plain parts and web addresses. Any other scheme stays text. */
export function splitLinks(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s"'<>\\^`{|}]+/gi)) {
    const href = match[0].replace(/[.,;:!?)\]]+$/, "");
    if (!URL.canParse(href)) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), href: null });
    parts.push({ text: href, href });
    end = match.index + href.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), href: null });
  return parts;
}
