// The crosshair: moved by pointer or arrows, its figures in a tooltip and spoken, the incident under it opened.
import type uPlot from 'uplot';
import { h } from '../dom.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import { navigate } from '../router.ts';
import { type Band, bandsAt } from './bands.ts';
import { color } from './paint.ts';

/** Moves the crosshair, here and on the plots that share it; uPlot's types don't know of the last argument. */
function putCursor(u: uPlot, left: number, top: number): void {
    (u.setCursor as (at: { left: number; top: number }, fire: boolean, publish: boolean) => void)({ left, top }, true, true);
}

/** What is said of a moment: a colour, a name, a figure. */
export interface Figure {
    color?: string;
    name: string;
    value: string;
}

export interface Hovered {
    u: uPlot;
    element: HTMLElement;
    bands: () => Band[];
    /** The figures of a column, largest first; top: where the pointer is, px, null for the keyboard. */
    figures: (index: number, top: number | null) => Figure[];
}
const MOST = 10;

const linesOf = (x: Hovered, at: number): Band[] => bandsAt(x.bands(), at).filter((b) => b.label);

/** Values at the crosshair, at most ten, beside the pointer and never over it. */
function makeTooltip(x: Hovered): { show: (top: number | null) => void; hide: () => void } {
    const tip = h('div.tip', { hidden: true });
    x.element.append(tip);
    const hide = (): void => void (tip.hidden = true);
    const show = (top: number | null): void => {
        const index = x.u.cursor.idx;
        if (index === null || index === undefined || (x.u.cursor.left ?? -1) < 0) {
            hide();
            return;
        }
        const t = (x.u.data[0] as number[])[index]! * 1000;
        const rows = x.figures(index, top).slice(0, MOST);
        tip.replaceChildren(h('p.faint', {}, `${f.when(t, live.now(), true)} ${f.zone()}`), ...rows.map((r) => {
            const swatch = h('i.swatch');
            swatch.style.background = r.color ? color(r.color) : 'none';
            return h('div.tip-row', {}, r.color ? swatch : null, h('span.tip-name', {}, r.name), h('b.num', {}, r.value));
        }), ...linesOf(x, t).slice(0, 4).map((b) => h(`p.${b.level}` as 'p', {}, b.label!)));
        tip.hidden = false;
        const left = x.u.cursor.left! + x.u.over.offsetLeft;
        const [width, height] = [tip.offsetWidth, tip.offsetHeight];
        const middle = (top ?? 20) + x.u.over.offsetTop;
        const room = { right: x.element.clientWidth - left - 14, left: left - 14 };
        let y = middle - height / 2;
        if (room.left >= width) {
            tip.style.left = `${left - 14 - width}px`;
        } else if (room.right >= width) {
            tip.style.left = `${left + 14}px`;
        } else { // neither side has room: above or below
            tip.style.left = `${Math.max(0, Math.min(x.element.clientWidth - width, left - width / 2))}px`;
            y = middle > height + 14 ? middle - height - 14 : middle + 18;
        }
        const below = x.element.getBoundingClientRect();
        tip.style.top = `${Math.max(60 - below.top, Math.min(y, innerHeight - below.top - height - 8))}px`;
    };
    return { show, hide };
}

/** Left and right move the crosshair, with Shift ten at a time; Enter opens the incident there, Escape takes the crosshair away. */
function onKey(e: KeyboardEvent, x: Hovered, say: (text: string) => void, show: () => void, clear: () => void): void {
    if (e.target !== x.element || e.ctrlKey || e.altKey || e.metaKey) {
        return;
    }
    const { u } = x;
    const times = u.data[0] as number[];
    const at = u.cursor.idx;
    const isSet = at !== null && at !== undefined && (u.cursor.left ?? -1) >= 0;
    const consumed = (): void => {
        e.preventDefault();
        e.stopPropagation();
    };
    if (e.key === 'Escape') {
        if (isSet) {
            consumed();
            clear();
        }
        return;
    }
    if (e.key === 'Enter') {
        const band = isSet ? bandsAt(x.bands(), times[at]! * 1000).find((b) => b.href) : undefined;
        if (band) {
            consumed();
            navigate(band.href!);
        }
        return;
    }
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[e.key];
    if (by === undefined || times.length === 0) {
        return;
    }
    consumed();
    const [from, to] = [u.scales['x']!.min ?? -Infinity, u.scales['x']!.max ?? Infinity];
    const seen = (i: number): boolean => times[i]! >= from && times[i]! <= to;
    let [first, last] = [0, times.length - 1];
    while (first < last && !seen(first)) {
        first++;
    }
    while (last > first && !(seen(last) && (isSet || x.figures(last, null).length > 0))) { // it begins where there is something to say
        last--;
    }
    const wanted = isSet ? at + by * (e.shiftKey ? 10 : 1) : by > 0 && by !== Infinity ? first : last;
    const index = Math.max(first, Math.min(last, wanted));
    putCursor(u, u.valToPos(times[index]!, 'x'), 10);
    show();
    const moment = times[index]! * 1000;
    const figures = x.figures(index, null).slice(0, 6).map((r) => `${r.name} ${r.value}`);
    const incidents = linesOf(x, moment).slice(0, 2).map((b) => `${b.label!}${b.href ? ', Enter opens it' : ''}`);
    say(`${f.when(moment, live.now(), true)}: ${[...(figures.length > 0 ? figures : ['no samples']), ...incidents].join(', ')}`);
}

/** A press that isn't a drag opens the incident under it, unless a second press follows. */
function openOnClick(x: Hovered): void {
    let down: { x: number; y: number } | null = null;
    let timer = 0;
    const { over } = x.u;
    const bandUnder = (e: MouseEvent): Band | undefined => bandsAt(x.bands(), x.u.posToVal(e.clientX - over.getBoundingClientRect().left, 'x') * 1000).find((b) => b.href);
    over.addEventListener('mousedown', (e) => void (down = { x: e.clientX, y: e.clientY }));
    over.addEventListener('click', (e) => {
        clearTimeout(timer);
        const moved = down === null || Math.hypot(e.clientX - down.x, e.clientY - down.y) > 4;
        const band = moved || e.detail > 1 || (e.target as Element).closest('a') ? undefined : bandUnder(e);
        if (band) {
            timer = window.setTimeout(() => over.isConnected && navigate(band.href!), 250);
        }
    });
    over.addEventListener('dblclick', () => clearTimeout(timer));
    over.addEventListener('mousemove', (e) => void (over.style.cursor = bandUnder(e) ? 'pointer' : ''));
}

export function addHover(x: Hovered): void {
    const { u, element } = x;
    const spoken = h('span.hidden', { 'aria-live': 'polite' });
    element.append(spoken);
    const tip = makeTooltip(x);
    let inside = false;
    const clear = (): void => {
        putCursor(u, -10, -10);
        tip.hide();
        spoken.textContent = '';
    };
    u.over.addEventListener('mouseenter', () => void (inside = true));
    u.over.addEventListener('mouseleave', () => {
        inside = false;
        tip.hide();
    });
    (u.hooks.setCursor ??= []).push(() => inside && tip.show(u.cursor.top ?? 0));
    element.addEventListener('keydown', (e) => onKey(e, x, (text) => void (spoken.textContent = text), () => tip.show(null), clear));
    element.addEventListener('blur', () => inside || clear());
    openOnClick(x);
}
