// The sheet that makes, extends or ends a silence: who, why, until when, and how many alerts it would keep quiet now.
import * as alerts from './alerts.ts';
import { send } from './api.ts';
import { h, replace, setText } from './dom.ts';
import * as f from './format.ts';
import * as live from './live.ts';
import { openSheet } from './sheet.ts';
import { button, segments } from './ui.ts';

const NAME = 'console.name';
const HOUR = 3600000;

const matches = (m: alerts.Matcher, labels: Record<string, string>): boolean => {
    const value = labels[m.name] ?? '';
    const same = m.isRegex ? new RegExp(`^(?:${m.value})$`).test(value) : value === m.value;
    return same === m.isEqual;
};
const matched = (matchers: alerts.Matcher[]): alerts.Alert[] =>
    alerts.store.alerts.filter((a) => matchers.every((m) => matches(m, a.labels)));

function countWords(matchers: alerts.Matcher[]): string {
    if (matchers.length === 0) {
        return 'Without a label it would keep everything quiet: keep at least one.';
    }
    const list = matched(matchers);
    const by = (state: alerts.State, source: string): string => {
        const n = list.filter((a) => a.state === state && a.source === source).length;
        return n === 0 ? '' : `${n} ${state} (${source === 'stream' ? 'stream' : 'Prometheus'})`;
    };
    const parts = (['firing', 'pending', 'inhibited', 'silenced'] as alerts.State[]).flatMap((s) => [by(s, 'stream'), by(s, 'prometheus')]).filter((t) => t !== '');
    return `Matches ${list.length === 1 ? '1 alert' : `${list.length} alerts`} now${parts.length > 0 ? ': ' + parts.join(', ') : ''}. Nobody is told while it lasts; the tile stays red.`;
}

export async function saveSilence(silence: Partial<alerts.Silence>): Promise<void> {
    await send('POST', '/api/alertmanager/silences', silence);
    await alerts.refresh();
}
export async function endSilence(id: string): Promise<void> {
    await send('DELETE', `/api/alertmanager/silence/${id}`);
    await alerts.refresh();
}
export const extendSilence = (s: alerts.Silence, ms: number): Promise<void> => saveSilence({
    id: s.id, matchers: s.matchers, createdBy: s.createdBy, comment: s.comment, startsAt: s.startsAt,
    endsAt: new Date(Math.max(Date.parse(s.endsAt), live.now()) + ms).toISOString(),
});

export function openSilence(alert: alerts.Alert): void {
    let matchers: alerts.Matcher[] = ['alertname', 'service_name', 'cloud_region'].filter((n) => alert.labels[n])
        .map((name) => ({ name, value: alert.labels[name]!, isRegex: false, isEqual: true }));
    let span = '3600000';
    const chips = h('p.row.chips');
    const words = h('p.note', { 'aria-live': 'polite' });
    const until = h('input', { type: 'datetime-local', hidden: true, 'aria-label': 'Until', oninput: () => paint() });
    const ends = h('p.faint.num');
    const name = h('input', { type: 'text', required: true, autocomplete: 'name', maxlength: 80 });
    name.value = localStorage.getItem(NAME) ?? '';
    const reason = h('input', { type: 'text', required: true, maxlength: 300 });
    const error = h('p.critical', { role: 'alert' });
    const submit = h('button.button.primary', { type: 'submit' });
    const endsAt = (): number => (span === 'until' ? (until.value === '' ? NaN : new Date(until.value).getTime()) : live.now() + Number(span));
    const paint = (): void => {
        replace(chips, matchers.map((m) => h('button.chip', { type: 'button', title: 'Take it away', onclick: () => {
            matchers = matchers.filter((x) => x !== m);
            paint();
        } }, h('code', {}, `${m.name}${m.isEqual ? '=' : '!='}${m.value}`), ' ×')));
        setText(words, countWords(matchers));
        until.hidden = span !== 'until';
        const end = endsAt();
        setText(ends, Number.isFinite(end) ? `Ends at ${f.when(end, live.now(), true)} ${f.zone()}` : 'Choose a time');
        setText(submit, span === 'until' ? 'Silence until then' : `Silence for ${f.duration(Number(span))}`);
        submit.disabled = matchers.length === 0;
    };
    openSheet('Silence', (close) => {
        const form = h('form.form', { onsubmit: (e: Event) => {
            e.preventDefault();
            const end = endsAt();
            if (!(end > live.now())) {
                setText(error, 'It must end in the future.');
                return;
            }
            localStorage.setItem(NAME, name.value.trim());
            submit.disabled = true;
            saveSilence({ matchers, createdBy: name.value.trim(), comment: reason.value.trim(), startsAt: new Date(live.now()).toISOString(), endsAt: new Date(end).toISOString() })
                .then(close, (problem: Error) => {
                    setText(error, `Alertmanager didn’t take it: ${problem.message}`);
                    submit.disabled = false;
                });
        } },
        h('div.field', {}, h('span.label', {}, 'Alerts where all of these match'), chips), words,
        h('div.field', {}, h('span.label', {}, 'For'), segments('For', [[String(HOUR / 2), '30 min'], [String(HOUR), '1 h'], [String(4 * HOUR), '4 h'], ['until', 'Until…']], span, (v) => {
            span = v;
            paint();
        }), until, ends),
        h('label.field', {}, h('span.label', {}, 'Your name'), name), h('label.field', {}, h('span.label', {}, 'Why (needed)'), reason), error,
        h('p.row.sheet-actions', {}, submit, button('Cancel', close)));
        return form;
    });
    paint();
    (name.value === '' ? name : reason).focus();
}
