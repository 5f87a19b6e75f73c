/* Reloads the overview while its checkbox is ticked, and remembers the choice. */
"use strict";

(function () {
    const box = document.getElementById("mw-refresh");
    if (!box) {
        return;
    }
    const key = "memwatch-refresh";
    let timer = 0;

    function set() {
        window.clearInterval(timer);
        if (box.checked) {
            timer = window.setInterval(() => {
                if (!document.hidden) {
                    window.location.reload();
                }
            }, Number(box.dataset.seconds) * 1000);
        }
    }

    box.checked = window.localStorage.getItem(key) !== "paused";
    box.addEventListener("change", () => {
        window.localStorage.setItem(key, box.checked ? "on" : "paused");
        set();
    });
    set();
}());
