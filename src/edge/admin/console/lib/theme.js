// Light, dark, or as the system has it.
const KEY = "egret-theme";
const watchers = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");

function tell() {
  for (const watcher of watchers) watcher();
}
system.addEventListener("change", tell);

export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

export const isDark = () => (theme() === "system" ? system.matches : theme() === "dark");

export function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    if (name === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, name);
  } catch {
    // Storage is switched off: it holds for this page.
  }
  tell();
}

export function onTheme(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** A colour of the stylesheet as a canvas understands it. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
