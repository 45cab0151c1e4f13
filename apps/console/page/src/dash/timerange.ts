// The time range: a list of the last so and so long, and beside it two moments by hand.
import { h, setText } from '../dom.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import { face, makeOptions, makePopup } from '../menu.ts';
import { button } from '../ui.ts';
import { isRelative, momentText, parseMoment, RANGES, toMs } from './time.ts';

export interface TimeRange {
    element: HTMLElement;
    open: () => void;
    set: (time: { from: string; to: string }) => void;
}

export function makeTimeRange(changed: (from: string, to: string) => void): TimeRange {
    let time = { from: 'now-15m', to: 'now' };
    const list = h('div.menu-options', { role: 'listbox', 'aria-label': 'Last', tabindex: '0' });
    const from = h('input', { type: 'text', spellcheck: 'false', autocomplete: 'off' });
    const to = h('input', { type: 'text', spellcheck: 'false', autocomplete: 'off' });
    const wrong = h('p.warning.small', { role: 'alert' });
    const fieldZone = h('p.faint.small');
    const popup = makePopup('Time range', 'dialog', () => {
        const ends = { from: toMs(time.from), to: toMs(time.to) };
        from.value = momentText(ends.from);
        to.value = momentText(ends.to);
        setText(wrong, '');
        setText(fieldZone, `Times in ${f.zone()}; also now-2h`);
        options.begin();
    });
    const options = makeOptions(list, false, (value) => {
        popup.close(true);
        changed(value, 'now');
    });
    const apply = (): void => {
        const [a, b] = [parseMoment(from.value), parseMoment(to.value)];
        const bad = a === null ? from : b === null ? to : null;
        from.setAttribute('aria-invalid', String(bad === from));
        to.setAttribute('aria-invalid', String(bad === to));
        if (a === null || b === null) {
            setText(wrong, `“${bad!.value}” isn’t a time: write ${momentText(live.now())}`);
            bad!.focus();
        } else if (toMs(b) <= toMs(a)) {
            setText(wrong, 'It ends before it begins');
            to.focus();
        } else {
            popup.close(true);
            changed(a, b);
        }
    };
    popup.panel.classList.add('menu-time');
    popup.panel.append(list, h('form.menu-form', { onsubmit: (e: Event) => {
        e.preventDefault();
        apply();
    } }, h('label.field', {}, h('span.label', {}, 'From'), from), h('label.field', {}, h('span.label', {}, 'To'), to), fieldZone, wrong, (() => {
        const submit = button('Show', () => undefined);
        submit.type = 'submit';
        return submit;
    })()));
    return {
        element: popup.element, open: popup.open,
        set: (t) => {
            time = t;
            const known = t.to === 'now' ? RANGES.find(([r]) => r === t.from) : undefined;
            options.set(RANGES, known ? [known[0]] : []);
            const [a, b] = [toMs(t.from), toMs(t.to)];
            face(popup, 'Time range', '', known?.[1] ?? (isRelative(t.from) && isRelative(t.to) ? `${t.from} to ${t.to}` : `${f.when(a, live.now(), true)} – ${f.day(a) === f.day(b) ? f.clock(b) : f.when(b, live.now(), true)}`));
        },
    };
}
