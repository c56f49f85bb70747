// Runs before the first paint: dark where somebody chose it, else where the system is dark.
(function () {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = /(?:^|; )pbxrec_theme=(light|dark)/.exec(document.cookie);
  const follow = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  if (chosen) {
    root.dataset.bsTheme = chosen[1];
  } else {
    follow();
    dark.addEventListener("change", follow);
  }
})();
