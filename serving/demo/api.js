// The public API as any storefront would call it; addresses are relative, so a prefix may stand
// in front of the service.

/** A refusal, in words that can be shown. */
export class Problem extends Error {
  constructor(title, detail, code, requestId) {
    super(detail);
    Object.assign(this, { title, detail, code, requestId });
  }
}

export class Api {
  key = ""; // in memory only: it is gone with the page

  /** {body, text, ms, stages}: the answer, the time until it was here, and Server-Timing. */
  async call(method, path, content, signal) {
    const startedMs = performance.now();
    let response;
    let text;
    try {
      response = await fetch(path, {
        method,
        signal,
        headers: {
          authorization: `Bearer ${this.key}`,
          ...(content ? { "content-type": "application/json" } : {}),
        },
        body: content ? JSON.stringify(content) : undefined,
      });
      text = await response.text();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      const usable = /^[\x20-\x7e]*$/.test(this.key);
      throw usable
        ? new Problem("No answer", "the service cannot be reached", "unreachable")
        : new Problem("Unusable key", "a key has plain ASCII characters only", "unusable_key");
    }
    const ms = performance.now() - startedMs;
    const body = parsed(text);
    if (!response.ok) throw refusal(response, body);
    return { body, text, ms, stages: stages(response.headers.get("server-timing") ?? "") };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refusal(response, body) {
  const title = body?.title ?? (response.statusText || `Status ${response.status}`);
  const waitS = response.headers.get("retry-after");
  const detail = body?.detail ?? "the service gave no reason";
  const again = waitS ? ` (try again in ${waitS} s)` : "";
  const requestId = body?.request_id ?? response.headers.get("x-request-id");
  return new Problem(title, detail + again, body?.code ?? String(response.status), requestId);
}

/** `validate;dur=0.2, total;dur=9.1` as {validate: 0.2, total: 9.1}. */
function stages(header) {
  const found = {};
  for (const entry of header.split(",")) {
    const match = /^\s*([\w-]+)\s*;.*\bdur=([\d.]+)/.exec(entry);
    if (match) found[match[1]] = Number(match[2]);
  }
  return found;
}

/** Random hex digits; randomUUID is missing on plain http. */
export function randomId(bytes = 16) {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(values, (value) => value.toString(16).padStart(2, "0")).join("");
}
