// The shell's own behaviour. Alpine's CSP build knows components by name only.
(function () {
  "use strict";

  document.addEventListener("alpine:init", () => {
    Alpine.data("theme", () => ({
      toggle() {
        const root = document.documentElement;
        const wanted = root.dataset.bsTheme === "dark" ? "light" : "dark";
        root.dataset.bsTheme = wanted;
        const secure = location.protocol === "https:" ? "; Secure" : "";
        document.cookie = `pbxrec_theme=${wanted}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
        document.dispatchEvent(new CustomEvent("portal:theme", { detail: wanted }));
      },
    }));
    Alpine.data("menu", () => ({
      open: false,
      get expanded() { return this.open ? "true" : "false"; },
      get shown() { return this.open ? "show" : ""; },
      toggle() { this.open = !this.open; },
    }));
    Alpine.data("notice", () => ({ close() { this.$root.remove(); } }));
    Alpine.data("reveal", () => ({
      plain: false,
      get type() { return this.plain ? "text" : "password"; },
      get pressed() { return this.plain ? "true" : "false"; },
      get hidden() { return !this.plain; },
      toggle() { this.plain = !this.plain; },
    }));
    // Departments and groups are only asked for where the role sees by them.
    Alpine.data("account", () => ({
      restricted: false,
      init() { this.choose(); },
      choose() {
        const chosen = this.$root.querySelector("input[name=role]:checked");
        this.restricted = chosen !== null && chosen.value === "restricted";
      },
    }));
    // Ticks off what a new password has; the server decides.
    const tests = {
      length: (text, item) => [...text].length >= Number(item.dataset.least),
      lower: (text) => /\p{Ll}/u.test(text),
      upper: (text) => /\p{Lu}/u.test(text),
      digit: (text) => /\p{Nd}/u.test(text),
      special: (text) => /[^\p{L}\p{N}]/u.test(text),
    };
    Alpine.data("rules", () => ({
      look(event) {
        if (event.target.name !== "new") return;
        this.$root.querySelectorAll("[data-rule]").forEach((item) => {
          item.classList.toggle("kept", tests[item.dataset.rule](event.target.value.normalize("NFKC"), item));
        });
      },
    }));
  });

  // A menu that drops down closes when one clicks elsewhere or presses Escape.
  const dropdowns = () => document.querySelectorAll("details.shell-dropdown[open]");
  document.addEventListener("click", (event) => {
    dropdowns().forEach((one) => { if (!one.contains(event.target)) one.open = false; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    dropdowns().forEach((one) => { one.open = false; one.querySelector("summary").focus(); });
  });

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
  });
})();
