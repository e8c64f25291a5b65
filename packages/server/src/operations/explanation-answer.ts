import { type Explanation, formatInstant, LAST_INSTANT } from "@carillon/core";
import type { ExplanationAnswer } from "../http/schemas/outlook.ts";

export function toExplanationAnswer({ summary, reasons }: Explanation): ExplanationAnswer {
  return {
    summary,
    reasons: reasons.map(({ until, ...told }) => {
      return { ...told, until: until === null || until > LAST_INSTANT ? null : formatInstant(until) };
    }),
  };
}
