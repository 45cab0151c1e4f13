// One alert of Prometheus: its query, its value and the progress of its "for".
import * as alerts from '../alerts.ts';
import { h, replaceWhen } from '../dom.ts';
import * as f from '../format.ts';
import * as icons from '../icons.ts';
import * as live from '../live.ts';
import { openSilence } from '../silence.ts';
import { button, copy, link, pinnedLink } from '../ui.ts';
import { bar, type Detail, paintSilences, promqlOf } from './alert_detail.ts';
import { logsHref } from './incident.ts';

export function makePrometheusDetail(): Detail {
    let alert: alerts.Alert | null = null;
    const element = h('article.panel.detail');
    const silences = h('div.silences');
    const body = h('div.detail-section');
    element.append(body, silences);
    return {
        element, alert: () => alert, destroy: () => undefined,
        update: (a) => {
            alert = a;
            if (!a) {
                replaceWhen(body, 'gone', () => h('p.muted', {}, alerts.store.loaded ? 'This alert no longer fires.' : 'Loading'));
                return;
            }
            const for_ = live.now() - a.since;
            const progress = a.forMs > 0 ? Math.min(1, for_ / a.forMs) : 1;
            replaceWhen(body, JSON.stringify([a.key, a.state, a.value, a.reason, Math.floor(for_ / 1000), f.zone()]), () => [
                h('h1.detail-title', { class: `sev-${a.state === 'pending' ? 'pending' : a.severity}` }, icons.ofState(a.state, a.severity), ' ', a.name, ' ', h('span.muted', {}, [a.service, a.region].filter((x) => x).join(', ')), a.state === 'firing' ? null : h('span.tag', {}, a.state)),
                h('p.why', {}, h('b', {}, a.annotations['summary'] ?? ''), a.annotations['description'] ? ['. ', a.annotations['description']] : ''),
                h('p.row', {}, a.service ? link('Logs', logsHref(a), { key: 'l', primary: true }) : null, button('Silence', () => openSilence(a), { key: 's' }), a.runbook ? link('Runbook', `/runbooks/${a.runbook}`, { key: 'b' }) : null,
                    button('Copy as PromQL', () => void copy(promqlOf(a)), { key: 'p' }), button('Copy link', () => void copy(pinnedLink()), { key: 'c' })),
                h('div.two', {}, h('section', {}, h('h2', {}, 'Query'), h('pre.query', { tabindex: '0' }, a.query), h('p', {}, 'Value now: ', h('b.num', {}, Number.isFinite(a.value) ? String(Number(a.value!.toPrecision(4))) : f.DASH))),
                    h('section', {}, h('h2', {}, 'How long'), h('p', {}, `True since ${f.when(a.since, live.now(), true)}, `, h('b.num', {}, f.duration(for_)), a.forMs > 0 ? ` of the ${f.duration(a.forMs)} that it must be` : ''),
                        a.forMs === 0 ? null : bar(progress, a.state === 'pending' ? '--warning-mark' : '--critical'), a.reason !== '' ? h('p.muted', {}, a.reason) : null)),
            ]);
            paintSilences(silences, a.silences);
        },
    };
}
