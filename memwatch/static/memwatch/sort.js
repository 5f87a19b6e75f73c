/* Makes every <table class="mw-sortable"> sortable by its headings: buttons, said by aria-sort, numbers as numbers.
 * A cell sorts by its data-sort where it has one, else by its text. A heading with data-unsorted stays as it is. */
"use strict";

(function () {
    function valueOf(row, column) {
        const cell = row.cells[column];
        const text = cell.dataset.sort ?? cell.textContent.trim();
        const number = Number(text);
        return text === "" || text === "—" ? null : Number.isNaN(number) || !("sort" in cell.dataset) ? text : number;
    }

    function compare(a, b) {
        if (typeof a === "number" && typeof b === "number") {
            return a - b;
        }
        return String(a).localeCompare(String(b), document.documentElement.lang || undefined, { numeric: true });
    }

    function sort(table, column, way) {
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, column) }));
        rows.sort((a, b) => {
            // What was not measured comes last, whichever way.
            if (a.value === null || b.value === null) {
                return (a.value === null) - (b.value === null);
            }
            return way * compare(a.value, b.value);
        });
        body.append(...rows.map((each) => each.row));
        [...table.tHead.rows[0].cells].forEach((head, at) => {
            head.setAttribute("aria-sort", at === column ? (way > 0 ? "ascending" : "descending") : "none");
        });
    }

    // How each table of the page was sorted last: one that is renewed is sorted so again.
    const chosen = new Map();

    function prepare() {
        document.querySelectorAll("table.mw-sortable").forEach((table, place) => {
            [...table.tHead.rows[0].cells].forEach((head, column) => {
                if ("unsorted" in head.dataset || head.querySelector("button")) {
                    return;
                }
                const button = document.createElement("button");
                button.type = "button";
                button.className = "mw-sort";
                button.append(...head.childNodes);
                button.addEventListener("click", () => {
                    const now = head.getAttribute("aria-sort");
                    const first = head.classList.contains("mw-number") ? "descending" : "ascending";
                    const next = now === "descending" ? "ascending" : now === "ascending" ? "descending" : first;
                    sort(table, column, next === "ascending" ? 1 : -1);
                    chosen.set(place, [column, next === "ascending" ? 1 : -1]);
                });
                head.append(button);
            });
            if (chosen.has(place) && !table.tHead.querySelector("[aria-sort]")) {
                sort(table, ...chosen.get(place));
            }
        });
    }

    prepare();
    document.addEventListener("memwatch:renewed", prepare);
}());
