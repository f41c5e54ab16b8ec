// Before the first paint: the theme that was chosen, so that nothing flashes.
(() => {
  try {
    const theme = localStorage.getItem("xrm-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage may be forbidden */ }
})();
