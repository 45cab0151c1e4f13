// A stand-in for a stream-processor, to show the console what no simulator makes: hundreds of pairs, a first second.
import { createServer } from 'node:http';

const tile = (pair, at) => ({ 'service.name': pair.service, 'cloud.region': pair.region, time_unix_ms: at, window_seconds: 10, request_rate: 20, error_ratio: pair.errors ?? 0, p99: 0.2,
    minute: { request_rate: 20, error_ratio: pair.errors ?? 0, p99: 0.2 }, firing: pair.fires ? ['HighErrorRate'] : [] });

const evidence = (pair) => ({ rule: 'HighErrorRate', signal: 'error_rate', severity: 'critical', firing: true, verdict: 'violated', value: pair.errors, threshold: 0.05, expected: null, window_seconds: 10, samples: 200,
    bad: Math.round(200 * pair.errors), min_bad: 5, violations: 1, for_violations: 1, clears: 0, for_clear: 20, odds: 1, clear_odds: 100, why: 'firing' });

/** Serves what `pairs` has at the time: { service, region, errors, fires }. */
export function startProcessor() {
    const self = { pairs: [], url: '' };
    const began = new Date().toISOString();
    const streams = new Set();
    const event = () => {
        const at = Date.now();
        return `event: series\ndata: ${JSON.stringify({ time_unix_ms: at, lag_seconds: 0, series: self.pairs.map((p) => tile(p, at)) })}\n\n`;
    };
    const alerts = () => self.pairs.map((p, i) => ({ p, i })).filter(({ p }) => p.fires).map(({ p, i }) => ({ rule: 'HighErrorRate', severity: 'critical', fingerprint: i.toString(16).padStart(16, '0'), sequence: 1,
        labels: { 'service.name': p.service, 'cloud.region': p.region }, starts_at: began, evidence: evidence(p) }));
    const server = createServer((request, response) => {
        const { pathname } = new URL(request.url, 'http://localhost');
        if (pathname === '/stream') {
            response.writeHead(200, { 'Content-Type': 'text/event-stream' });
            response.write(event());
            streams.add(response);
            response.on('close', () => streams.delete(response));
            return;
        }
        const answer = { '/alerts': () => ({ alerts: alerts() }), '/series': () => ({ series: [{ rules: [evidence({ errors: 0 })] }] }), '/series/history': () => ({ windows: [10, 60], rules: [], rows: [] }) }[pathname];
        response.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(answer ? answer() : { error: 'no such address' }));
    });
    const timer = setInterval(() => streams.forEach((s) => s.write(event())), 1000);
    self.stop = () => {
        clearInterval(timer);
        streams.forEach((s) => s.destroy());
        server.close();
    };
    return new Promise((done) => server.listen(0, '127.0.0.1', () => {
        self.url = `http://127.0.0.1:${server.address().port}`;
        done(self);
    }));
}
