// Alerts: a list by state with each one's reason, and the why of the chosen one.
import * as alerts from '../alerts.ts';
import { h, replaceWhen, setText } from '../dom.ts';
import * as f from '../format.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { currentPath, navigate, param, redirect } from '../router.ts';
import { openSilence } from '../silence.ts';
import { copy } from '../ui.ts';
import type { View } from '../view.ts';
import { type Detail, makeStreamDetail, promqlOf, silenceLine } from './alert_detail.ts';
import { logsHref } from './incident.ts';
import { makePrometheusDetail } from './prometheus_detail.ts';

interface Item {
    key: string;
    element: () => HTMLElement;
    text: string;
}

function place(a: alerts.Alert): string {
    return [a.service, a.region].filter((x) => x !== '').join(', ') || (a.labels['consumergroup'] ?? a.labels['job'] ?? a.labels['sloth_id'] ?? '');
}

function lineOf(a: alerts.Alert): string {
    const e = a.evidence;
    const measured = e ? `${f.join(f.measure(e.signal, a.value))}, limit ${f.limit(e.signal, e.threshold)}` : '';
    const reason = a.state === 'firing' ? measured : a.state === 'pending' ? (alerts.troubles().some((t) => t.name === a.name && t.service === a.service && t.region === a.region) ? 'same rule in Prometheus' : '') : [measured, a.reason].filter((x) => x !== '').join(', ');
    return [place(a), reason].filter((x) => x !== '').join(' · ');
}

function ageOf(a: alerts.Alert): string {
    const age = live.now() - a.since;
    if (a.state === 'pending' && a.forMs > 0) {
        return `${f.duration(age)} of ${f.duration(a.forMs)}`;
    }
    return a.state === 'silenced' && a.silences[0] ? `until ${f.when(Date.parse(a.silences[0].endsAt), live.now())}` : f.duration(age);
}

function alertItem(a: alerts.Alert, chosen: string): Item {
    const text = JSON.stringify([a.key, a.state, lineOf(a), ageOf(a), chosen === a.key]);
    return { key: a.key, text, element: () => h('a.alert-item', { href: `/alerts/${a.key}`, 'aria-current': chosen === a.key ? 'true' : null }, h('span', { class: `sev-${a.state === 'firing' ? a.severity : a.state === 'pending' ? 'pending' : 'none'}` }, icons.ofState(a.state, a.severity)),
        h('span.alert-item-text', {}, h('b', {}, a.name), h('span.muted.small', {}, lineOf(a))), h('span.faint.num.small', {}, ageOf(a))) };
}

function recentItems(chosen: string): Item[] {
    const resolved = [...live.state.transitions].reverse().filter((t) => t.state === 'resolved').slice(0, 12);
    return resolved.map((t) => {
        const fired = live.state.transitions.find((x) => x.fingerprint === t.fingerprint && x.sequence === t.sequence - 1);
        const key = `${t.fingerprint}/${fired?.sequence ?? t.sequence}`;
        const lasted = fired ? `Resolved after ${f.duration(Date.parse(t.detected_at) - Date.parse(fired.detected_at))}` : 'Resolved';
        const at = f.when(Date.parse(t.detected_at), live.now());
        const text = JSON.stringify([key, lasted, at, chosen === key]);
        return { key, text, element: () => h('a.alert-item', { href: `/alerts/${key}`, 'aria-current': chosen === key ? 'true' : null }, h('span.done', {}, icons.check()),
            h('span.alert-item-text', {}, h('b', {}, t.rule), h('span.muted.small', {}, `${lasted} · ${t.labels['service.name']}, ${t.labels['cloud.region']}`)), h('span.faint.num.small', {}, at)) };
    });
}

export function makeAlerts(): View {
    const list = h('nav.panel.alert-list', { 'aria-label': 'Alerts by state' });
    const pane = h('div.alert-pane');
    const counts = h('span.muted');
    const back = h('p.back', {}, h('a', { href: '/alerts' }, '← All alerts'), ' ', counts);
    const element = h('div.page.split', {}, h('h1.hidden', {}, 'Alerts'), list, h('div.split-right', {}, back, pane));
    let detail: Detail | null = null;
    let shown = '';
    let items: Item[] = [];

    const chosenKey = (): string => {
        const rest = currentPath().slice('/alerts/'.length);
        return rest.startsWith('prometheus/') ? `${rest}?of=${encodeURIComponent(param('of') ?? '')}` : rest;
    };
    const chosen = (): string => (currentPath().startsWith('/alerts/') ? chosenKey() : '');
    const find = (key: string): alerts.Alert | null => alerts.store.alerts.find((a) => a.key === key) ?? null;

    const paintList = (): void => {
        const key = chosen();
        const groups: [string, Item[]][] = [['Firing', alerts.firing().map((a) => alertItem(a, key))], ['Pending', alerts.inState('pending').map((a) => alertItem(a, key))],
            ['Inhibited', alerts.inState('inhibited').map((a) => alertItem(a, key))], ['Silenced', alerts.inState('silenced').map((a) => alertItem(a, key))]];
        const recent = recentItems(key);
        const problems = Object.entries(alerts.store.problems).filter(([n]) => n !== 'limits');
        items = [...groups.flatMap(([, i]) => i), ...recent];
        // Nothing moves under the pointer or the focus; only then is it worth the wait.
        const text = JSON.stringify([groups.map(([n, i]) => [n, i.map((x) => x.text)]), recent.map((r) => r.text), problems, alerts.store.silences.map((s) => s.id + s.endsAt), alerts.store.loaded]);
        const focused = (document.activeElement as HTMLElement | null)?.closest('.alert-list') ? document.activeElement?.getAttribute('href') : null;
        const changed = replaceWhen(list, text, () => [
            problems.map(([name, words]) => h('p.warning.list-problem', {}, h('b', {}, `${name}: `), words)),
            groups.filter(([name, i]) => i.length > 0 || name === 'Firing').map(([name, i]) => h('section', {}, h('h2', {}, name, h('span.faint.num', {}, String(i.length))),
                i.length === 0 ? h('p.muted.list-empty', {}, alerts.store.loaded ? 'Nothing is firing' : 'Loading') : i.map((x) => x.element()))),
            alerts.store.silences.length > 0 ? h('section', {}, h('h2', {}, 'Silences', h('span.faint.num', {}, String(alerts.store.silences.length))), alerts.store.silences.map(silenceLine)) : null,
            h('section', {}, h('h2', {}, 'Recent'), recent.length === 0 ? h('p.muted.list-empty', {}, 'No alert has cleared yet') : recent.map((r) => r.element())),
        ]);
        if (changed && focused) {
            list.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
        }
    };

    const paintDetail = (): void => {
        const key = chosen();
        element.classList.toggle('has-choice', key !== '');
        setText(counts, (['firing', 'pending', 'inhibited', 'silenced'] as const).map((s) => [alerts.inState(s).length, s] as const).filter(([n]) => n > 0).map(([n, s]) => `${n} ${s}`).join(', '));
        if (key !== shown || (!detail && key !== '')) {
            detail?.destroy();
            detail = null;
            shown = key;
            const match = /^([0-9a-f]{16})\/(\d+)$/.exec(key);
            if (match) {
                detail = makeStreamDetail(match[1]!, Number(match[2]));
            } else if (key.startsWith('prometheus/')) {
                detail = makePrometheusDetail();
            }
            if (detail) {
                pane.replaceChildren(detail.element);
            }
        }
        if (detail) {
            detail.update(find(key));
        } else {
            const rules = alerts.store.limits.size;
            const last = live.state.transitions.at(-1);
            replaceWhen(pane, `empty${key}${rules}${last?.alert_id}${alerts.store.rulesTotal}${live.pairs().length}`, () => h('div.panel.empty', {}, h('h2.verdict', {}, alerts.firing().length === 0 ? 'Nothing is firing' : 'Choose an alert'),
                h('p.muted', {}, `Watched: ${rules} rules on ${live.pairs().length} pairs of service and region in the stream, ${alerts.store.rulesTotal} rules in Prometheus. `,
                    last ? `Last transition: ${last.rule} ${last.state === 'firing' ? 'fired' : 'resolved'} at ${f.when(Date.parse(last.detected_at), live.now())}.` : 'No transition yet.')));
        }
    };
    const update = (): void => {
        // On a wide page the first firing one is open at once.
        if (currentPath() === '/alerts' && innerWidth > 900 && alerts.firing()[0] && !document.querySelector('dialog[open]')) {
            redirect(`/alerts/${alerts.firing()[0]!.key}`);
            return;
        }
        paintList();
        paintDetail();
    };
    const move = (by: number): void => {
        const at = items.findIndex((i) => i.key === chosen());
        const next = items[Math.max(0, Math.min(items.length - 1, at + by))];
        if (next) {
            navigate(`/alerts/${next.key}`);
        }
    };
    const current = (): alerts.Alert | null => detail?.alert() ?? null;
    return {
        element, title: 'Alerts', update,
        navigated: () => true,
        keys: {
            j: () => move(1), k: () => move(-1),
            l: () => current() && navigate(logsHref(current()!)),
            s: () => current() && openSilence(current()!),
            b: () => current()?.runbook && navigate(`/runbooks/${current()!.runbook}`),
            p: () => current() && void copy(promqlOf(current()!)),
            Escape: () => navigate('/alerts'),
        },
        destroy: () => detail?.destroy(),
    };
}
