// The page of what sources say and is not believed: what waits, what was believed, what was answered.
import { api, query } from "./api.js";
import { answersTable } from "./answers.js";
import { $, empty, fill } from "./dom.js";

const of = (state) => api(`/held-back${query({ state })}`);

function show() {
  fill($("#held-back"), async () => {
    const found = await api("/held-back");
    if (!found.length) return empty(gettext("Nothing is held back."));
    return answersTable(gettext("Held back"), found, show);
  });
  fill($("#believed"), async () => {
    const found = await of("believed");
    if (!found.length) return empty(gettext("Nothing of your holdings."));
    return answersTable(gettext("Believed by itself"), found, show);
  });
  fill($("#answered"), async () => {
    const [accepted, dismissed] = await Promise.all([of("accepted"), of("dismissed")]);
    const found = [...accepted, ...dismissed];
    if (!found.length) return empty(gettext("You have answered nothing yet."));
    return answersTable(gettext("Answered"), found, show);
  });
}

show();
