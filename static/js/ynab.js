// The result of the last sync with YNAB.
import { h } from "./dom.js";
import { time } from "./format.js";

const RUNS = () => ({ running: gettext("running"), done: gettext("done"), attention: gettext("check"), failed: gettext("failed") });
const LINES = () => ({
  written: gettext("balance saved"), unchanged: gettext("unchanged"), kept: gettext("your own value kept"),
  closed: gettext("closed at YNAB"), missing: gettext("no longer at YNAB"), failed: gettext("failed"),
});
const FINE = new Set(["written", "unchanged", "kept"]);

/** The result for one pension account, or null if the last sync did not include it. */
export function syncedLine(settings, accountId) {
  const line = settings?.last_sync?.accounts.find((one) => one.account_id === accountId);
  if (!line) return null;
  const { started_at: started, finished_at: finished } = settings.last_sync;
  return h("span", { class: FINE.has(line.outcome) ? "under" : "under warn", "data-outcome": line.outcome },
    [time(finished ?? started), LINES()[line.outcome] ?? line.outcome, line.detail].filter(Boolean).join(" · "));
}

/** The whole last sync, with one line per account. */
export function lastSync({ last_sync: run }) {
  if (!run) return h("p", { class: "small muted", id: "last-sync" }, gettext("Not synced yet."));
  const isWell = run.outcome === "done" || run.outcome === "running";
  return h("div", { id: "last-sync" },
    h("p", { class: "small muted" }, gettext("Last sync"), ": ", time(run.finished_at ?? run.started_at), " ", h("span", { class: isWell ? "tag" : "tag bad" }, RUNS()[run.outcome] ?? run.outcome)),
    run.detail && h("p", { class: "small warn" }, run.detail),
    run.accounts.length && h("ul", { class: "plain small" }, ...run.accounts.map((one) => h("li", { class: FINE.has(one.outcome) ? null : "warn" }, `${one.name}: `, LINES()[one.outcome] ?? one.outcome, one.detail && one.detail !== run.detail ? ` – ${one.detail}` : ""))));
}
