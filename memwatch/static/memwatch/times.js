/* On hover a time is told exactly: in the reader's own zone first, then in the server's, which the page was written in. */
"use strict";

(function () {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const words = new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "long" });

    function tell() {
        document.querySelectorAll("time[datetime]:not([data-told])").forEach((time) => {
            const moment = new Date(time.dateTime);
            if (!Number.isNaN(moment.valueOf())) {
                time.title = `${words.format(moment)} (${zone}); ${time.title}`;
                time.dataset.told = "";
            }
        });
    }

    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", tell);
    } else {
        tell();
    }
    // The overview renews itself in place.
    document.addEventListener("memwatch:renewed", tell);
}());
