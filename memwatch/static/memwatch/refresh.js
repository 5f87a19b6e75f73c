/* Renews the live part of the overview while its checkbox is ticked, in place, and remembers the choice. */
"use strict";

(function () {
    const box = document.getElementById("mw-refresh");
    const state = document.getElementById("mw-refresh-state");
    if (!box) {
        return;
    }
    const key = "memwatch-refresh";
    let timer = 0;

    function focusable(live) {
        return [...live.querySelectorAll("a[href], button, summary, [tabindex]")];
    }

    // Where somebody is: what has the focus, and how far the tables are scrolled sideways.
    function placeOf(live) {
        const all = focusable(live);
        return {
            at: all.indexOf(document.activeElement),
            text: document.activeElement?.textContent,
            scrolled: [...live.querySelectorAll(".mw-scroll")].map((each) => each.scrollLeft),
        };
    }

    function putBack(live, place) {
        [...live.querySelectorAll(".mw-scroll")].forEach((each, at) => {
            each.scrollLeft = place.scrolled[at] || 0;
        });
        const all = focusable(live);
        const same = all[place.at]?.textContent === place.text ? all[place.at] : all.find((each) => each.textContent === place.text);
        if (place.at >= 0) {
            same?.focus({ preventScroll: true });
        }
    }

    async function renew() {
        if (document.hidden) {
            return;
        }
        const live = document.getElementById("mw-live");
        try {
            const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
            if (answer.status >= 500) {
                state.textContent = box.dataset.failed;
                return;
            }
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const fresh = page.getElementById("mw-live");
            if (!answer.ok || !fresh) {
                // Logged out, most likely: let the server say so.
                window.location.reload();
                return;
            }
            // What somebody is marking to copy is left alone.
            const marked = document.getSelection();
            if (marked && !marked.isCollapsed && live.contains(marked.anchorNode)) {
                return;
            }
            const place = placeOf(live);
            live.replaceWith(document.adoptNode(fresh));
            state.textContent = "";
            document.dispatchEvent(new Event("memwatch:renewed"));
            putBack(fresh, place);
        } catch {
            state.textContent = box.dataset.failed;
        }
    }

    function set() {
        window.clearInterval(timer);
        if (box.checked) {
            timer = window.setInterval(renew, Number(box.dataset.seconds) * 1000);
        }
    }

    box.checked = window.localStorage.getItem(key) !== "paused";
    box.addEventListener("change", () => {
        window.localStorage.setItem(key, box.checked ? "on" : "paused");
        set();
    });
    set();
}());
