// A panel that got nothing: is that good, young, or filtered away?
import { instant } from '../api.ts';
import * as f from '../format.ts';
import type { Panel } from './model.ts';
import { isRelative, rangeWords } from './time.ts';
import { type Scope, SCRAPE_S, type Variables } from './variables.ts';

export interface Emptiness {
    head: string;
    text: string;
    state: string; // beside the title
    againMs?: number; // ask again after so long
}

/** How long Prometheus has watched, s, at most so long: one sample for each scrape that there should have been. */
const watched = (s: number): Promise<number> => instant(`max(count_over_time(up{job="metrics-bridge"}[${s}s:${SCRAPE_S}s]))`).then((r) => Number(r[0]?.value[1] ?? 0) * SCRAPE_S, () => Infinity);

export async function whyEmpty(panel: Panel, variables: Variables, scope: Scope, time: { from: string; to: string }): Promise<Emptiness> {
    const samples = await watched(120).then((seconds) => seconds / SCRAPE_S);
    if (samples < 4) {
        const left = Math.max(1, (4 - samples) * SCRAPE_S);
        return { head: `First rates in ${f.duration(left * 1000)}`, text: samples === 0 ? 'Prometheus has not scraped yet.' : `Prometheus has scraped ${samples === 1 ? 'once' : `${samples} times`}. A rate needs two scrapes, a rule an evaluation more.`, state: 'waiting', againMs: 5000 };
    }
    const exprs = (panel.targets ?? []).map((t) => t.expr).join(' ');
    if (/\b(?:kube|container)_/.test(exprs) && await instant('count(kube_pod_status_phase) or count(container_cpu_usage_seconds_total)').then((r) => r.length === 0, () => false)) {
        return { head: 'No cluster is measured here', text: 'Prometheus has no figures of kube-state-metrics or the kubelet: nothing is known of pods and nodes.', state: '' };
    }
    if (/\bslo:/.test(exprs) && await instant('count(slo:objective:ratio)').then((r) => Number(r[0]?.value[1] ?? 0) === 0, () => false)) {
        return { head: 'First budgets within 5 min', text: 'Their rules are evaluated every 5 minutes.', state: 'waiting', againMs: 15000 };
    }
    if (isRelative(time.to) && scope.step > SCRAPE_S && await watched(2 * scope.step) < 1.5 * scope.step) {
        return { head: `First points within ${f.duration(scope.step * 1500)}`, text: `A point of this range stands for ${f.duration(scope.step * 1000)}, and Prometheus is younger.`, state: 'waiting' };
    }
    const noValue = panel.fieldConfig?.defaults.noValue;
    const chosen = variables.list.flatMap((v) => variables.chosen(v.name).map((c) => `${v.name} = ${c}`));
    const when = isRelative(time.from) ? rangeWords(time.from) : 'that time';
    if (noValue !== undefined) {
        return { head: noValue, text: `In ${when}.`, state: '' };
    }
    return chosen.length > 0 ? { head: `Nothing for ${chosen.join(', ')}`, text: `In ${when}.`, state: '' } : { head: `None in ${when}`, text: '', state: '' };
}
