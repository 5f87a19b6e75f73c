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

    async function renew() {
        if (document.hidden) {
            return;
        }
        const live = document.getElementById("mw-live");
        try {
            const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const fresh = page.getElementById("mw-live");
            if (!answer.ok || !fresh) {
                // Logged out, most likely: let the server say so.
                window.location.reload();
                return;
            }
            // What somebody is reading or has the focus on is left alone.
            if (live.contains(document.activeElement) && document.activeElement !== document.body) {
                return;
            }
            live.replaceWith(document.adoptNode(fresh));
            state.textContent = "";
            document.dispatchEvent(new Event("memwatch:renewed"));
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
