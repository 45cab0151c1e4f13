// The runbook's first steps, filled with what the platform knows: worst route, most frequent line, traffic as usual or not.
import { get, getText, instant, query } from '../api.ts';
import { h, type Child } from '../dom.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import { inline, leads } from '../markdown.ts';

export async function firstSteps(service: string, region: string, runbook: string, signal: string): Promise<Child[]> {
    const items: Child[] = [];
    const labels = `service_name="${service}", cloud_region="${region}"`;
    const routes = signal.startsWith('latency') || signal === 'error_rate' ? await instant(`topk(2, sum by (http_request_method, http_route) (increase(http_server_request_duration_seconds_count{${labels}${signal === 'error_rate' ? ', http_response_status_code=~"5.."' : ''}}[2m])))`).catch(() => []) : [];
    const total = routes.reduce((n, r) => n + Number(r.value[1]), 0);
    if (signal === 'error_rate' && routes[0] && total > 0) {
        const all = await instant(`sum(increase(http_server_request_duration_seconds_count{${labels}, http_response_status_code=~"5.."}[2m]))`).catch(() => []);
        const share = Number(routes[0].value[1]) / (Number(all[0]?.value[1]) || total);
        items.push([h('b', {}, 'One route or all? '), `${f.join(f.percent(Math.min(1, share)))} of the failures are on `, h('code', {}, `${routes[0].metric['http_request_method'] ?? ''} ${routes[0].metric['http_route'] ?? ''}`), '. ',
            h('a', { href: `/d/golden-signals?var-service=${encodeURIComponent(service)}&var-region=${encodeURIComponent(region)}` }, 'Golden signals')]);
    }
    const lines = await get<{ lines: { record: { body: string } }[] }>(`/api/logs?${query({ service, region, severity: 'WARN', limit: 300 })}`).catch(() => ({ lines: [] }));
    const counts = new Map<string, number>();
    lines.lines.forEach((l) => {
        const text = l.record.body.replace(/\b\d+(\.\d+)? ?ms\b/g, 'N ms');
        counts.set(text, (counts.get(text) ?? 0) + 1);
    });
    const most = [...counts].sort((a, b) => b[1] - a[1])[0];
    if (most) {
        items.push([h('b', {}, 'What do they say? '), `Most frequent of the last ${lines.lines.length}: `, h('code', {}, most[0]), ` (${most[1]}). `, h('a', { href: `/logs?${query({ 'var-service': service, 'var-region': region, severity: 'WARN' })}` }, 'Logs')]);
    }
    const s = live.findSeries(service, region);
    if (s) {
        const bars = live.barsOf(s).filter((b) => b !== null);
        const mean = bars.reduce((n, b) => n + (b!.rate ?? 0), 0) / (bars.length || 1);
        const now = s.window.rate ?? 0;
        const usual = mean > 0 && now > mean * 0.7 && now < mean * 1.4;
        items.push([h('b', {}, 'Is the traffic as usual? '), usual ? `Yes, ${f.join(f.rate(now))}.` : `No: ${f.join(f.rate(now))}, ${f.join(f.rate(mean))} over the last minutes.`]);
    }
    const text = runbook === '' ? '' : await getText(`/api/runbooks/${runbook}`).catch(() => '');
    leads(text, 'First five minutes').forEach((l) => items.push(inline(l)));
    return items;
}
