/* Runs in a page of VS Code: when the next key is pressed, and when what it asks for stands in the DOM.

`selectors` are what is waited for, by name; an element counts when it has text, in which `text` stands. `typed`, where
it is given, is put into the focused box when the key comes, so that the key is the last one of a query whose other
letters asked for nothing; with `tell`, the page is told of it too. The times go to `globalThis.watched`, a promise of
milliseconds by name, null for what was not shown. Returns the names of what is shown already.
*/
({ selectors, text, typed, tell, patience }) => {
  const names = Object.keys(selectors);
  const isShown = (name) =>
    [...document.querySelectorAll(selectors[name])].some(
      ({ textContent }) => textContent.trim() !== "" && textContent.includes(text),
    );
  const shown = Object.fromEntries(names.map((name) => [name, null]));
  let pressed;
  globalThis.watched = new Promise((resolve) => {
    function look() {
      for (const name of names) {
        if (pressed !== undefined && shown[name] === null && isShown(name)) {
          shown[name] = performance.now() - pressed;
        }
      }
      if (names.every((name) => shown[name] !== null)) {
        end();
      }
    }
    function press(event) {
      // The time of the event itself: what the page does before its listeners are called counts too.
      pressed = event.timeStamp;
      removeEventListener("keydown", press, true);
      if (typed !== null) {
        const box = document.activeElement;
        // The page's own setter: a framework that watches the property would take the value for one of its own.
        Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set.call(box, typed);
        if (tell) {
          box.dispatchEvent(new Event("input", { bubbles: true }));
        }
      }
    }
    function end() {
      observer.disconnect();
      clearTimeout(givingUp);
      removeEventListener("keydown", press, true);
      resolve(shown);
    }
    const observer = new MutationObserver(look);
    const givingUp = setTimeout(end, patience);
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    addEventListener("keydown", press, true);
  });
  return names.filter(isShown);
}
