// The list of recordings: folding a call's parts, the panel beside the list, selecting, and keys.
(function () {
  "use strict";

  const rows = () => [...document.querySelectorAll(".rec-row:not([hidden])")];
  const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  let opener = null;

  function unfold(button) {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    button.closest("tbody").querySelectorAll(".rec-part").forEach((row) => { row.hidden = !open; });
  }

  function closePanel() {
    const panel = document.getElementById("why");
    if (!panel || panel.hidden) return false;
    panel.hidden = true;
    panel.replaceChildren();
    if (opener && opener.isConnected) opener.focus();
    return true;
  }

  function count() {
    const form = document.getElementById("selection");
    if (!form) return;
    const ticked = document.querySelectorAll("input[name=recording]:checked").length;
    form.querySelector(".rec-ticked").textContent = String(ticked);
    form.hidden = ticked === 0;
  }

  function move(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    const link = next.querySelector("a.rec-open, button, input");
    link.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", (event) => {
    const fold = event.target.closest(".rec-unfold");
    if (fold) unfold(fold);
    const why = event.target.closest(".rec-why");
    if (why) opener = why;
    if (event.target.closest(".rec-why-close")) closePanel();
    if (event.target.closest(".rec-more a")) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.name === "recording") {
      // A folded call is one row to whoever ticks it: all of its parts are meant.
      const journey = event.target.closest("tbody");
      const fold = journey.querySelector(".rec-unfold");
      if (fold && fold.getAttribute("aria-expanded") !== "true") {
        journey.querySelectorAll(".rec-part input[name=recording]").forEach((box) => { box.checked = event.target.checked; });
      }
      count();
    }
    if (event.target.id === "f-period") {
      document.querySelector(".rec-days").classList.toggle("d-none", event.target.value !== "custom");
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "why") {
      event.detail.target.hidden = false;
      event.detail.target.focus();
    }
    count();
  });

  // Days are asked for once both or one of them is there: an empty choice of days is no search yet.
  document.addEventListener("htmx:confirm", (event) => {
    if (event.detail.elt.id !== "filters") return;
    const form = event.detail.elt;
    const custom = form.elements.period.value === "custom";
    if (custom && !form.elements.from.value && !form.elements.to.value) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { closePanel(); return; }
    if (typing(event.target)) return;
    const row = document.activeElement.closest ? document.activeElement.closest(".rec-row") : null;
    if (event.key === "ArrowDown" || event.key === "j") { move(1); }
    else if (event.key === "ArrowUp" || event.key === "k") { move(-1); }
    else if (event.key === "/") { document.getElementById("f-text").focus(); }
    else if (event.key === "?" && row) { row.querySelector(".rec-why").click(); }
    else if (event.key === "x" && row) { row.querySelector("input[name=recording]").click(); }
    else return;
    event.preventDefault();
  });
})();
