// Small things that several views share.
import { h, type Child } from './dom.ts';
import * as f from './format.ts';
import * as icons from './icons.ts';

let politely: HTMLElement | null = null;
/** Said to those who listen to the page: new and cleared alerts, connection lost or back; nothing else. */
export function announce(text: string): void {
    if (!politely) {
        politely = h('div.hidden', { 'aria-live': 'polite', role: 'status' });
        document.body.append(politely);
    }
    politely.textContent = text;
}

export function figure(fig: f.Figure, tag: 'b' | 'span' = 'span'): HTMLElement {
    return h(`${tag}.num` as 'b', {}, fig.value, fig.unit === '' ? null : h('small', {}, ' ', fig.unit));
}

export function button(label: Child, action: () => void, options: { key?: string; primary?: boolean; class?: string; title?: string } = {}): HTMLButtonElement {
    return h(`button.button${options.primary ? '.primary' : ''}${options.class ? '.' + options.class : ''}` as 'button',
        { type: 'button', onclick: action, title: options.title }, label, options.key ? h('kbd', { 'aria-hidden': 'true' }, options.key) : null);
}
export function link(label: Child, href: string, options: { key?: string; primary?: boolean } = {}): HTMLAnchorElement {
    return h(`a.button${options.primary ? '.primary' : ''}` as 'a', { href }, label, options.key ? h('kbd', { 'aria-hidden': 'true' }, options.key) : null);
}

/** An address that shows the same tomorrow: a view that looks back from now names its times. */
export function pinnedLink(range?: [number, number]): string {
    const url = new URL(location.href);
    if (range) {
        url.searchParams.set('from', String(Math.round(range[0])));
        url.searchParams.set('to', String(Math.round(range[1])));
    }
    return url.href;
}

/** Copies, and says so on the button itself, or at the page's foot after a key. */
export async function copy(text: string, from?: HTMLElement): Promise<void> {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        const area = h('textarea', { class: 'hidden' });
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand('copy');
        area.remove();
    }
    if (from) {
        const old = [...from.childNodes];
        from.replaceChildren('Copied');
        setTimeout(() => from.replaceChildren(...old), 1200);
    } else {
        const note = h('p.copied', {}, 'Copied');
        document.body.append(note);
        setTimeout(() => note.remove(), 1200);
    }
}

export function select(label: string, options: [string, string][], value: string, changed: (value: string) => void): HTMLLabelElement {
    const element = h('select', { onchange: (e: Event) => changed((e.target as HTMLSelectElement).value) },
        options.map(([v, text]) => h('option', { value: v, selected: v === value }, text)));
    element.value = value;
    return h('label.select', {}, label === '' ? null : h('span', {}, label), element);
}

export function segments<T extends string>(name: string, options: [T, string][], value: T, changed: (value: T) => void): HTMLElement {
    const group = h('div.segments', { role: 'group', 'aria-label': name });
    const paint = (v: string): void => group.querySelectorAll('button').forEach((b) => b.setAttribute('aria-pressed', String(b.value === v)));
    options.forEach(([v, text]) => group.append(h('button', { type: 'button', value: v, onclick: () => {
        paint(v);
        changed(v);
    } }, text)));
    paint(value);
    return group;
}

export function problem(what: string, words: string, again: () => void, promql?: string): HTMLElement {
    return h('div.problem', { role: 'group' }, h('p.warning', {}, icons.warning(), ' ', h('b', {}, what)), h('code', {}, words),
        h('p.row', {}, button('Try again', again), promql ? button('Copy as PromQL', () => void copy(promql)) : null));
}
