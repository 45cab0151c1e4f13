// A plot's legend: names, last values; a click shows one alone, with Ctrl it takes one away.
import { h, replace } from '../dom.ts';

export interface Entry {
    name: string; // of a series, or of the group of those without a colour
    title: string; // in full
    color: string; // a custom property's name
    dash: boolean;
    value: string;
}

export interface Legend {
    element: HTMLElement;
    paint: (entries: Entry[]) => void;
    isShown: (name: string) => boolean;
}

const LETTER = 5.9; // px of a letter: entries that won't stand in one row are set in columns as wide as the longest

export function makeLegend(title: string, changed: () => void): Legend {
    const element = h('div.legend', { role: 'group', 'aria-label': `Series of ${title}. Enter: alone; Control and Enter: off` });
    let entries: Entry[] = [];
    let alone: string | null = null;
    const off = new Set<string>();
    const isShown = (name: string): boolean => (alone !== null ? name === alone : !off.has(name));

    const press = (name: string, one: boolean): void => {
        if (one) {
            if (alone !== null) { // from one alone to all but that one is no step: it begins anew
                alone = null;
                off.clear();
            }
            off.has(name) ? off.delete(name) : off.add(name);
        } else {
            alone = alone === name ? null : name;
            off.clear();
        }
        changed();
        paint(entries);
    };
    const paint = (list: Entry[]): void => {
        entries = list;
        if (alone !== null && !list.some((e) => e.name === alone)) {
            alone = null;
            changed();
        }
        const focused = (document.activeElement as HTMLElement | null)?.closest('.legend') === element ? (document.activeElement as HTMLElement).dataset['name'] : undefined;
        const widths = list.map((e) => 30 + LETTER * (e.name.length + e.value.length));
        element.classList.toggle('legend-columns', element.clientWidth > 0 && widths.reduce((n, w) => n + w, 0) > element.clientWidth);
        element.style.setProperty('--entry', `${Math.ceil(Math.max(0, ...widths))}px`);
        replace(element, list.map((e) => {
            const swatch = h(e.dash ? 'i.swatch.swatch-dash' : 'i.swatch');
            swatch.style.setProperty('--tone', `var(${e.color})`);
            return h('button', { type: 'button', 'data-name': e.name, title: `${e.title}. Click: alone; Ctrl: off`, 'aria-pressed': String(isShown(e.name)),
                onclick: (event: MouseEvent) => press(e.name, event.ctrlKey || event.metaKey) }, swatch, h('span.legend-name', {}, e.name), h('b.num', {}, e.value));
        }));
        if (focused !== undefined) {
            [...element.querySelectorAll<HTMLElement>('button')].find((b) => b.dataset['name'] === focused)?.focus({ preventScroll: true });
        }
    };
    return { element, paint, isShown };
}
