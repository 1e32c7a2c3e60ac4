// Runs before the first paint, so that a page in the dark does not flash white.
(function () {
  try {
    var theme = localStorage.getItem("egret-theme");
    if (theme === "light" || theme === "dark") {
      document.documentElement.dataset.theme = theme;
    }
  } catch (refused) {
    // Storage is switched off: the system's choice holds.
  }
})();
