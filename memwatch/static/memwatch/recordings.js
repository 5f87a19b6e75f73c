/* Loads the page of a recording that is under way again, until it is over. */
"use strict";

window.setInterval(() => {
    if (!document.hidden) {
        window.location.reload();
    }
}, 3000);
