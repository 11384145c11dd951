// The one way from a page to /api/v1: the session cookie, the CSRF token, and errors with their request id.
import { refusal } from "./words.js";

export class ApiError extends Error {
  constructor(status, body, requestId) {
    super(body?.errors?.map(refusal).join(" ") || gettext("The server gave no usable answer."));
    this.status = status;
    this.errors = body?.errors ?? [];
    this.body = body;
    this.requestId = body?.request_id ?? requestId;
  }
}

const token = document.querySelector('meta[name="csrf-token"]').content;

/** The parsed answer; null for 204. `body` is sent as JSON, a FormData as it is. Throws ApiError. */
export async function api(path, { method = "GET", body, signal, accept = [] } = {}) {
  const headers = {};
  if (method !== "GET") headers["X-CSRFToken"] = token;
  if (body && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch("/api/v1" + path, { method, headers, body, signal });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ApiError(0, { errors: [{ detail: gettext("The server cannot be reached.") }] });
  }
  if (answer.status === 401) {
    location.assign("/login?next=" + encodeURIComponent(location.pathname));
    return new Promise(() => {}); // the page is going away
  }
  if (answer.status === 204) return null;
  const json = await answer.json().catch(() => null);
  if (json === null || !(answer.ok || accept.some((known) => known(answer.status, json))))
    throw new ApiError(answer.status, json, answer.headers.get("X-Request-ID"));
  return json;
}

/** `?a=1&b=2` of what is not empty */
export function query(fields) {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return kept.length ? "?" + new URLSearchParams(kept) : "";
}
