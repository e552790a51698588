// Refreshes the page without reloading it: fetches the same address, and swaps what changed. Without it the page
// reloads itself. Focus, scroll position and opened details stay, since only differing nodes are touched.
"use strict";
(() => {
  const every = Number(document.body.dataset.refresh) * 1000;
  const longest = 5 * 60 * 1000;
  let failures = 0;
  let timer = 0;
  let running = false;
  let refreshedAt = new Date();

  const byId = (id) => document.getElementById(id);
  const keyOf = (node) => node.id || node.dataset?.alert || "";
  const firing = (root) =>
    new Map([...root.querySelectorAll("[data-alert]")].map((each) => [each.dataset.alert, each.dataset]));
  const evaluatedAt = () => Date.parse(byId("fresh").querySelector("time")?.dateTime ?? 0);

  function morph(from, to) {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || keyOf(from) !== keyOf(to)) {
      from.replaceWith(document.importNode(to, true));
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) {
      from.nodeValue = to.nodeValue;
      return;
    }
    morphAttributes(from, to);
    morphChildren(from, to);
  }

  function morphAttributes(from, to) {
    // Whether details are open is the reader's choice.
    const own = (name) => name === "open" && from.nodeName === "DETAILS";
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !own(name)) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !own(name)) from.setAttribute(name, value);
    }
  }

  function morphChildren(from, to) {
    const named = new Map([...from.children].filter(keyOf).map((each) => [keyOf(each), each]));
    let at = from.firstChild;
    for (const next of [...to.childNodes]) {
      const key = keyOf(next);
      const same = key ? named.get(key) : at;
      if (key && same && same !== at) from.insertBefore(same, at);
      const unusable = !same || (!key && keyOf(same));
      if (unusable) {
        from.insertBefore(document.importNode(next, true), at);
        continue;
      }
      const following = same === at ? at.nextSibling : at;
      morph(same, next);
      at = following;
    }
    while (at) {
      const following = at.nextSibling;
      at.remove();
      at = following;
    }
  }

  function announce(before, after, since) {
    // One that only moved up among the loudest, which are all that the board shows, is no news.
    const fresh = [...after]
      .filter(([key, { fired }]) => !before.has(key) && !(Date.parse(fired) <= since))
      .map(([, { say }]) => say);
    if (fresh.length) {
      const more = fresh.length > 3 ? `, and ${fresh.length - 3} more` : "";
      byId("news").textContent = `New alert: ${fresh.slice(0, 3).join("; ")}${more}`;
    }
  }

  // Only our own: an extension of the browser may have added some.
  const parts = (root) =>
    [...root.querySelectorAll("link[href^='/static/'], script[src^='/static/']")]
      .map((each) => each.getAttribute("href") || each.getAttribute("src"))
      .join();

  function swap(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    const main = next.getElementById("main");
    if (!main) throw new Error("the answer is no page of slo_guard");
    // Another version answers: its page wants its own style and script.
    if (parts(next) !== parts(document)) return location.reload();
    const before = firing(document);
    const since = evaluatedAt();
    const focused = document.activeElement;
    morph(byId("main"), main);
    morph(document.querySelector("header.top"), next.querySelector("header.top"));
    // A node that was moved has lost it.
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    document.title = next.title;
    const icon = next.querySelector("link[rel=icon]").getAttribute("href");
    const shown = document.querySelector("link[rel=icon]");
    if (shown.getAttribute("href") !== icon) shown.setAttribute("href", icon);
    announce(before, firing(document), since);
  }

  function failed(why) {
    failures += 1;
    const since = refreshedAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const note = byId("not-refreshed");
    note.textContent = `Not refreshed since ${since} (your clock): ${why}. Trying again.`;
    note.hidden = false;
  }

  async function refresh() {
    if (running || document.hidden) return;
    running = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      swap(await answer.text());
      failures = 0;
      refreshedAt = new Date();
      byId("not-refreshed").hidden = true;
    } catch (error) {
      failed(error instanceof TypeError ? "the server cannot be reached" : error.message);
    } finally {
      running = false;
      plan();
    }
  }

  function plan() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, Math.min(every * 2 ** failures, longest));
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  plan();
})();
