// Firing alerts as stretches of time: from ALERTS, and from the stream itself.
import { range } from '../api.ts';
import * as live from '../live.ts';
import type { Band } from '../plot/bands.ts';
import { params } from '../router.ts';
import type { Dashboard } from './model.ts';
import { stepFor } from './time.ts';
import type { Variables } from './variables.ts';

const NOT_WHOSE = ['__name__', 'alertname', 'alertstate', 'severity'];

/** The page of an alert that Prometheus fired. */
function hrefOf(metric: Record<string, string>): string {
    const of = Object.entries(metric).filter(([n]) => !['__name__', 'alertname', 'alertstate'].includes(n)).sort().map(([n, v]) => `${n}=${v}`).join(',');
    return `/alerts/prometheus/${encodeURIComponent(metric['alertname'] ?? '')}?of=${encodeURIComponent(of)}`;
}

/** Firing alerts as stretches of time, from ALERTS. */
export async function readBands(dashboard: Dashboard, variables: Variables, from: number, to: number, time: { from: string; to: string }): Promise<Band[]> {
    const step = stepFor(from, to, 240, 15);
    const bands: Band[] = [];
    for (const a of dashboard.annotations.list.filter((x) => x.enable && x.target)) {
        const expr = variables.put(a.target!.expr, { from, to, step }, time);
        const matrix = await range(expr, Math.floor(from / 1000 / step) * step, Math.floor(to / 1000 / step) * step, step).catch(() => []);
        for (const m of matrix.slice(0, 40)) {
            const fill = (format: string | undefined): string => (format ?? '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_, n: string) => m.metric[n] ?? '').trim();
            const label = `${fill(a.titleFormat ?? '{{alertname}}')} ${fill(a.textFormat)} firing`.replace(/\s+/g, ' ');
            let begin = m.values[0]![0];
            let last = begin;
            const end = (until: number): void => void bands.push({ from: begin * 1000, to: to / 1000 - until < 2 * step ? null : (until + step) * 1000, level: a.iconColor === 'red' ? 'critical' : 'warning', label, labels: Object.fromEntries(Object.entries(m.metric).filter(([n]) => !NOT_WHOSE.includes(n))), href: hrefOf(m.metric) });
            for (const [t] of m.values) {
                if (t - last > 2.5 * step) {
                    end(last);
                    begin = t;
                }
                last = t;
            }
            end(last);
        }
    }
    return bands;
}

/** What the stream fired is here at once, before Prometheus has heard of it. */
export function streamBands(from: number, to: number): Band[] {
    const bands: Band[] = [];
    for (const t of live.state.transitions.filter((x) => x.state === 'firing')) {
        const fits = (name: string, value: string | undefined): boolean => params(`var-${name}`).length === 0 || params(`var-${name}`).includes(value ?? '') || params(`var-${name}`).includes('$__all');
        const cleared = live.state.transitions.find((x) => x.fingerprint === t.fingerprint && x.sequence === t.sequence + 1);
        const begin = Date.parse(t.detected_at);
        const until = cleared ? Date.parse(cleared.detected_at) : null;
        if (fits('service', t.labels['service.name']) && fits('region', t.labels['cloud.region']) && begin < to && (until === null || until > from) && to - from < 7 * 86400000) {
            bands.push({ from: begin, to: until, level: t.severity === 'critical' ? 'critical' : 'warning', label: `${t.rule} ${t.labels['service.name']} ${t.labels['cloud.region']} firing`,
                labels: { service_name: t.labels['service.name'] ?? '', cloud_region: t.labels['cloud.region'] ?? '' }, href: `/alerts/${t.fingerprint}/${t.sequence}` });
        }
    }
    return bands;
}
