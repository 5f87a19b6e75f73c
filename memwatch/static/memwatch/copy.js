/* A button "Copy" below each <pre data-copy="label|said when done">: without scripts there is none, and the text is
 * selected by hand. */
"use strict";

(function () {
    document.querySelectorAll("pre[data-copy]").forEach((text) => {
        const [label, done] = text.dataset.copy.split("|");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "mw-act mw-copy";
        button.textContent = label;
        const said = document.createElement("span");
        said.setAttribute("role", "status");
        said.className = "mw-quiet";
        button.addEventListener("click", async () => {
            try {
                await navigator.clipboard.writeText(text.textContent);
                said.textContent = done;
            } catch {
                // No permission, or no https: the text is marked, and the keyboard copies it.
                getSelection().selectAllChildren(text);
            }
        });
        text.after(button, " ", said);
    });
})();
