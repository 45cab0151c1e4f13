// A choice of one or several: a button that says what is chosen, and a list below it. Arrows, Home, End and letters move in the list; Escape and a press elsewhere close it.
import { h, replace, replaceWhen, svg, type Child } from './dom.ts';
import * as icons from './icons.ts';

export interface Popup {
    element: HTMLElement;
    button: HTMLButtonElement;
    panel: HTMLElement;
    open: () => void;
    close: (refocus?: boolean) => void;
    isOpen: () => boolean;
}

const chevron = (): SVGElement => svg('svg', { viewBox: '0 0 12 12', width: 10, height: 10, class: 'icon menu-chevron', 'aria-hidden': 'true' }, svg('path', { d: 'M2.5 4.5 6 8l3.5-3.5', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.5', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));

/** A button with something that opens below it (from below on a phone). */
export function makePopup(name: string, kind: 'listbox' | 'dialog', opened: () => void): Popup {
    const button = h('button.select.menu-button', { type: 'button', 'aria-haspopup': kind, 'aria-expanded': 'false' });
    const panel = h('div.menu-panel', { role: kind, 'aria-label': name, hidden: true, tabindex: '-1' });
    const element = h('div.menu', {}, button, panel);
    const isOpen = (): boolean => !panel.hidden;
    const outside = (e: Event): void => void (element.contains(e.target as Node) || close());
    const close = (refocus = false): void => {
        if (!isOpen()) {
            return;
        }
        panel.hidden = true;
        button.setAttribute('aria-expanded', 'false');
        document.removeEventListener('pointerdown', outside);
        document.removeEventListener('focusin', outside);
        if (refocus) {
            button.focus();
        }
    };
    const open = (): void => {
        panel.hidden = false;
        button.setAttribute('aria-expanded', 'true');
        panel.classList.toggle('menu-right', element.getBoundingClientRect().left + panel.offsetWidth > innerWidth - 20);
        document.addEventListener('pointerdown', outside);
        document.addEventListener('focusin', outside);
        opened();
    };
    button.addEventListener('click', () => (isOpen() ? close() : open()));
    button.addEventListener('keydown', (e) => {
        if (e.key === 'ArrowDown' && !isOpen()) {
            e.preventDefault();
            e.stopPropagation();
            open();
        }
    });
    element.addEventListener('keydown', (e) => {
        if (e.key === 'Escape' && isOpen()) {
            e.preventDefault();
            e.stopPropagation();
            close(true);
        }
    });
    return { element, button, panel, open, close, isOpen };
}

/** What the button says: a quiet word and what is chosen. */
export function face(popup: Popup, name: string, label: string, value: Child): void {
    replaceWhen(popup.button, JSON.stringify([name, label, value]), () => [label === name ? null : h('span.hidden', {}, `${name} `), label === '' ? null : h('span', {}, label, ' '), h('b', {}, value), chevron()]);
}

export interface Listbox {
    element: HTMLElement;
    open: () => void;
    close: () => void;
    set: (options: [string, string][], chosen: string[]) => void;
}

/** The options of a listbox, one of them active; the caller puts it in the document. */
export function makeOptions(list: HTMLElement, multi: boolean, pick: (value: string) => void): { set: (options: [string, string][], chosen: string[]) => void; begin: () => void } {
    let options: [string, string][] = [];
    let active = 0;
    let typed = '';
    let typedAt = 0;
    const prefix = `menu-${Math.random().toString(36).slice(2, 8)}`;
    const activate = (i: number): void => {
        active = Math.max(0, Math.min(options.length - 1, i));
        [...list.children].forEach((o, k) => o.classList.toggle('menu-active', k === active));
        list.children[active]?.scrollIntoView({ block: 'nearest' });
        list.setAttribute('aria-activedescendant', `${prefix}-${active}`);
    };
    list.setAttribute('aria-multiselectable', String(multi));
    list.addEventListener('keydown', (e) => {
        const to = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: options.length - 1 }[e.key];
        if (e.ctrlKey || e.metaKey || e.altKey || e.key === 'Tab' || e.key === 'Escape') {
            return;
        }
        e.stopPropagation(); // letters are no keys of the view here
        if (to !== undefined) {
            activate(to);
        } else if (e.key === 'Enter' || e.key === ' ') {
            pick(options[active]![0]);
        } else if (e.key.length === 1) {
            typed = (Date.now() - typedAt > 800 ? '' : typed) + e.key.toLowerCase();
            typedAt = Date.now();
            const found = options.findIndex(([, text]) => text.toLowerCase().startsWith(typed));
            activate(found < 0 ? active : found);
        } else {
            return;
        }
        e.preventDefault();
    });
    return {
        set: (next, chosen) => {
            options = next;
            replace(list, options.map(([value, text], i) => h('div.menu-option', { role: 'option', id: `${prefix}-${i}`, 'data-value': value, 'aria-selected': String(chosen.includes(value)), onclick: () => pick(value) },
                h('span.menu-check', {}, chosen.includes(value) ? icons.check() : null), text)));
            activate(active);
        },
        begin: () => {
            activate(Math.max(0, [...list.children].findIndex((o) => o.getAttribute('aria-selected') === 'true')));
            list.focus();
        },
    };
}

/** One of several. */
export function makeChoice(name: string, label: (value: string) => string, changed: (value: string) => void): Listbox {
    const popup = makePopup(name, 'listbox', () => options.begin());
    const options = makeOptions(popup.panel, false, (value) => {
        popup.close(true);
        changed(value);
    });
    return { element: popup.element, open: popup.open, close: popup.close, set: (list, chosen) => {
        options.set(list, chosen);
        face(popup, name, label(chosen[0] ?? ''), list.find(([v]) => v === chosen[0])?.[1] ?? chosen[0] ?? '');
    } };
}

const ALL = '\0all';
/** Some of several; none chosen means all. */
export function makeMulti(name: string, changed: (values: string[]) => void): Listbox {
    let values: string[] = [];
    let known: string[] = [];
    const popup = makePopup(name, 'listbox', () => options.begin());
    const options = makeOptions(popup.panel, true, (value) => {
        const next = value === ALL ? [] : values.includes(value) ? values.filter((v) => v !== value) : [...values, value];
        changed(known.every((k) => next.includes(k)) ? [] : next);
    });
    return { element: popup.element, open: popup.open, close: popup.close, set: (list, chosen) => {
        values = chosen;
        known = list.map(([v]) => v);
        const strangers = chosen.filter((c) => !known.includes(c)).map((c): [string, string] => [c, c]);
        options.set([[ALL, 'All'], ...list, ...strangers], chosen.length === 0 ? [ALL] : chosen);
        face(popup, name, name, chosen.length === 0 ? 'All' : chosen.length === 1 ? chosen[0]! : `${chosen.length} of ${known.length}`);
    } };
}
