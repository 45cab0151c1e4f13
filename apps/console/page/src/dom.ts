// Elements by hand: h('div.panel', {…}, children). Attributes only; inline styles are refused by the page's policy.
export type Child = Node | string | number | null | undefined | false | Child[];
type Value = string | number | boolean | null | undefined | ((event: never) => void);

function append(parent: Element | DocumentFragment, child: Child): void {
    if (Array.isArray(child)) {
        child.forEach((c) => append(parent, c));
    } else if (child instanceof Node) {
        parent.append(child);
    } else if (child !== null && child !== undefined && child !== false) {
        parent.append(String(child));
    }
}

function setAttributes(element: Element, attributes: Record<string, Value>): void {
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === 'function') {
            element.addEventListener(name.slice(2), value as EventListener);
        } else if (value === true) {
            element.setAttribute(name, '');
        } else if (name === 'class' && typeof value === 'string') { // beside those of the tag
            element.classList.add(...value.split(' ').filter((c) => c !== ''));
        } else if (value !== false && value !== null && value !== undefined) {
            element.setAttribute(name, String(value));
        }
    }
}

export function h<K extends keyof HTMLElementTagNameMap>(
    tag: K | `${K}.${string}`, attributes: Record<string, Value> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
    const [name, ...classes] = tag.split('.');
    const element = document.createElement(name as K);
    if (classes.length > 0) {
        element.className = classes.join(' ');
    }
    setAttributes(element, attributes);
    append(element, children);
    return element;
}

const SVG = 'http://www.w3.org/2000/svg';
export function svg(tag: string, attributes: Record<string, Value> = {}, ...children: Child[]): SVGElement {
    const element = document.createElementNS(SVG, tag);
    setAttributes(element, attributes);
    append(element, children);
    return element;
}

export function fragment(...children: Child[]): DocumentFragment {
    const result = document.createDocumentFragment();
    append(result, children);
    return result;
}

/** Sets a text only when it changed: a still page. */
export function setText(element: Element, text: string): void {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}

export function replace(element: Element, ...children: Child[]): void {
    element.replaceChildren(fragment(...children));
}

/** Replaces the contents only when key differs from last time; true when it did. */
const keys = new WeakMap<Element, string>();
export function replaceWhen(element: Element, key: string, make: () => Child): boolean {
    if (keys.get(element) === key) {
        return false;
    }
    keys.set(element, key);
    replace(element, make());
    return true;
}

export function toggle(element: Element, name: string, on: boolean): void {
    if (element.classList.contains(name) !== on) {
        element.classList.toggle(name, on);
    }
}
