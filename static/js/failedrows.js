// The rows of a file that failed, as a file in the same layout with a column that says why.
import { download } from "./api.js";
import { h, notice } from "./dom.js";

/** A button that downloads them; null for a file without errors, or one that is not a table.
 *  `form` makes the form that the file was read with. */
export function failedRowsButton(file, found, form) {
  const isWorkbook = found.encoding === "xlsx";
  if (!found.failed || !(found.delimiter || isWorkbook)) return null;
  const name = `failed-${file.name.replace(/\.[^.]*$/, "")}.${isWorkbook ? "xlsx" : "csv"}`;
  async function save() {
    button.disabled = true;
    try {
      const url = URL.createObjectURL(await download("/transactions/import-csv/failed-rows", form()));
      h("a", { href: url, download: name }).click();
      URL.revokeObjectURL(url);
    } catch (problem) {
      notice(problem.message);
    }
    button.disabled = false;
  }
  const button = h("button", { class: "button", type: "button", onclick: save }, gettext("Download the rows with errors"));
  return button;
}
