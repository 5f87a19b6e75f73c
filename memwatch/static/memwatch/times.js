/* Tells the server the reader's zone, in a cookie: the next pages are written in it. On this one, if it was written in
 * another, a time is told in the reader's own zone on hover. */
"use strict";

(function () {
    const written = document.currentScript?.dataset.zone;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const words = new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "long" });

    if (zone) {
        const secure = window.location.protocol === "https:" ? "; secure" : "";
        document.cookie = `memwatch_timezone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
    }

    function tell() {
        if (zone === written) {
            return;
        }
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
