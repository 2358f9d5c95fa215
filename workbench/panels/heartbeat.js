// Watches the kernel's beats. When they stop, every control of this output is made inert, because a
// panel whose kernel was restarted looks alive and its buttons do nothing.
const CHECK_MS = 500;
const CONTROLS = "button, select, input, textarea, summary";

function panelOf(el) {
  return el.closest(".wb-panel") || el.closest(".jp-OutputArea-output") || el.parentElement;
}

function setInert(panel, isInert) {
  panel.classList.toggle("wb-stale", isInert);
  for (const control of panel.querySelectorAll(CONTROLS)) control.toggleAttribute("inert", isInert);
}

// What a click has opened may lie out of sight. It is scrolled to at the second check that sees it, so that
// nothing moves under the pointer of somebody who presses twice.
const OPENED = ".wb-armed, .wb-form";

function showOpened(panel, seen) {
  for (const part of panel.querySelectorAll(OPENED)) {
    const isOpen = part.offsetParent !== null;
    const checks = isOpen ? (seen.get(part) ?? 0) + 1 : 0;
    seen.set(part, checks);
    if (checks === 2) part.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}

// JupyterLab takes `x` typed on a focused button as "cut this cell", which would take the panel away.
function suppressShortcuts(event) {
  event.target.dataset.lmSuppressShortcuts = "true";
}

function utcNow() {
  return new Date().toISOString().slice(11, 19) + " UTC";
}

function sentence(isStale, isClosed, lastHeard, trouble) {
  if (isClosed) return "CLOSED. Another panel was opened in this kernel; these controls are off. Use the newer one.";
  if (!isStale) return trouble || "Connected";
  return (
    `STALE. The kernel has not answered since ${lastHeard}: these controls are off, and what is shown may be old. ` +
    "Run the cell again, or pause from a terminal: workbench pause SCOPE --reason TEXT"
  );
}

function render({ model, el }) {
  const spoken = document.createElement("span");
  const clock = document.createElement("span");
  el.classList.add("wb-beat");
  clock.setAttribute("aria-hidden", "true"); // it changes each second; a screen reader hears only the transitions
  el.append(spoken, clock);
  let lastBeatMs = performance.now();
  let lastHeard = utcNow();
  let wasStale = null;
  let said = null;
  const seen = new WeakMap();
  let guarded = null;

  function guard(panel) {
    guarded?.removeEventListener("focusin", suppressShortcuts);
    panel.addEventListener("focusin", suppressShortcuts);
    guarded = panel;
  }

  function check(isTick = false) {
    const panel = panelOf(el);
    if (!panel) return;
    if (panel !== guarded) guard(panel);
    if (isTick) showOpened(panel, seen);
    const isClosed = model.get("is_closed");
    const isStale = isClosed || performance.now() - lastBeatMs > model.get("silence_ms");
    const trouble = model.get("trouble");
    // Once for each silence: the instant in the sentence is the one at which it began.
    const state = isStale ? `stale ${isClosed}` : trouble;
    if (state !== said) {
      spoken.setAttribute("role", isStale || trouble ? "alert" : "status");
      spoken.textContent = sentence(isStale, isClosed, lastHeard, trouble);
      el.dataset.state = isStale ? "stale" : trouble ? "trouble" : "live";
      said = state;
    }
    clock.textContent = isStale || trouble ? "" : lastHeard;
    // At each check while stale, because a control may have been drawn since the last one.
    if (isStale || wasStale) setInert(panel, isStale);
    wasStale = isStale;
  }

  function hear() {
    lastBeatMs = performance.now();
    lastHeard = utcNow();
    check();
  }

  model.on("change:beat", hear);
  const look = () => check();
  model.on("change:is_closed", look);
  model.on("change:trouble", look);
  const timer = setInterval(() => check(true), CHECK_MS);
  check();
  return () => {
    clearInterval(timer);
    guarded?.removeEventListener("focusin", suppressShortcuts);
    model.off("change:beat", hear);
    model.off("change:is_closed", look);
    model.off("change:trouble", look);
  };
}

export default { render };
