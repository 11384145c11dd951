// Calls to /api/v1 with the session cookie and the CSRF token. Errors keep their request id.
import { refusal } from "./words.js";

export class ApiError extends Error {
  constructor(status, body, requestId) {
    super(body?.errors?.map(refusal).join(" ") || gettext("The server's answer could not be read."));
    this.status = status;
    this.errors = body?.errors ?? [];
    this.body = body;
    this.requestId = body?.request_id ?? requestId;
  }
}

/** The third parties that an answer on this page named as not asked. */
export const troubled = new Set();

const token = document.querySelector('meta[name="csrf-token"]').content;

/** Returns the parsed answer, null for 204. Sends `body` as JSON, FormData unchanged. Throws ApiError. */
export async function api(path, options) {
  return (await send(path, options)).json;
}

/** Returns the rows of a list and the path of its next page, null for the last. Throws ApiError. */
export async function apiPage(path) {
  const { json, link } = await send(path);
  const next = link?.match(/<([^>]*)>; rel="next"/);
  return { rows: json, next: next ? pathOf(next[1]) : null };
}

/** Returns the results of all pages of a list. Throws ApiError. */
export async function apiAll(path) {
  const found = [];
  while (path) {
    const { results, next } = await api(path);
    found.push(...results);
    path = next && pathOf(next);
  }
  return found;
}

function pathOf(url) {
  const { pathname, search } = new URL(url, location.origin);
  return pathname.slice("/api/v1".length) + search;
}

/** Sends a form and returns the file of the answer, a Blob. Throws ApiError. */
export async function download(path, form) {
  const answer = await ask(path, { method: "POST", body: form });
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => null), answer.headers.get("X-Request-ID"));
  return answer.blob();
}

async function send(path, { accept = [], ...options } = {}) {
  const answer = await ask(path, options);
  if (answer.status === 204) return { json: null };
  const json = await answer.json().catch(() => null);
  if (json === null || !(answer.ok || accept.some((known) => known(answer.status, json))))
    throw new ApiError(answer.status, json, answer.headers.get("X-Request-ID"));
  return { json, link: answer.headers.get("Link") };
}

async function ask(path, { method = "GET", body, signal } = {}) {
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
    throw new ApiError(0, { errors: [{ detail: gettext("Could not reach the server.") }] });
  }
  for (const state of answer.headers.get("Source-Status")?.split(", ") ?? []) troubled.add(state.split("=")[0]);
  if (answer.status === 401) {
    location.assign("/login?next=" + encodeURIComponent(location.pathname));
    return new Promise(() => {}); // the browser is leaving the page
  }
  return answer;
}

/** Returns `?a=1&b=2` for the fields that are not empty. */
export function query(fields) {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return kept.length ? "?" + new URLSearchParams(kept) : "";
}
