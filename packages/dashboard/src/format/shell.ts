/** One argument of a POSIX shell: nothing inside single quotes is special, so only those are treated. */
export function shellQuote(text: string): string {
  return /^[A-Za-z0-9._:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A curl command that sends this JSON. */
export function curlCommand(method: string, url: string, body?: unknown): string {
  const words = ["curl", ...(method === "GET" ? [] : ["-X", method]), shellQuote(url)];
  if (body !== undefined) {
    words.push("-H", shellQuote("content-type: application/json"), "-d", shellQuote(JSON.stringify(body)));
  }
  return words.join(" ");
}

/** A command of the command line for this server; it looks for one on port 7070 of its own machine by itself. */
export function cliCommand(origin: string, words: string): string {
  const own = origin === "http://127.0.0.1:7070" || origin === "http://localhost:7070";
  return `npx carillon ${words}${own ? "" : ` --url ${shellQuote(origin)}`}`;
}
