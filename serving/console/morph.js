// The page is made anew from each answer, and what is on the screen is made like it in place: so
// focus, a selection and what was unfolded stay, and nothing that is the same is drawn again.

/** Give `parent` these children. A child is known again by `data-key`, or by its place and name. */
export function fill(parent, children) {
  const keyed = new Map();
  for (const node of parent.children) if (node.dataset.key) keyed.set(node.dataset.key, node);
  let next = parent.firstChild;
  for (const fresh of children) {
    const key = fresh.dataset?.key;
    const old = key ? keyed.get(key) : next;
    if (!old || !alike(old, fresh)) {
      parent.insertBefore(fresh, next);
      continue;
    }
    if (old === next) next = next.nextSibling;
    else parent.insertBefore(old, next);
    become(old, fresh);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function alike(old, fresh) {
  return old.nodeName === fresh.nodeName && old.dataset?.key === fresh.dataset?.key;
}

function become(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    // Whether something is unfolded is the reader's.
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  fill(old, [...fresh.childNodes]);
}
