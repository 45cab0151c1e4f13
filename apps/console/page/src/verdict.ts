// The sentence on top: is it bad, where, how much.
import { type Alert, firing, store, troubles } from './alerts.ts';
import * as f from './format.ts';
import * as live from './live.ts';

export interface Verdict {
    /** The part in colour, then the rest. */
    subject: string;
    rest: string;
    below: string;
    level: 'good' | 'warning' | 'critical' | 'unknown';
}

const past = (old: boolean, now: string, then: string): string => (old ? then : now);

/** "fails one request in three": what one alert says, without its place. */
export function whatIsWrong(a: Alert, old = false): string {
    const e = a.evidence;
    const signal = e?.signal ?? '';
    if (signal === 'error_rate') {
        return `${past(old, 'fails', 'failed')} ${f.shareInWords(a.value ?? 0)}`;
    }
    if (signal.startsWith('latency')) {
        return `${past(old, 'is', 'was')} slow: ${signal.slice(8).toUpperCase()} ${f.join(f.measure(signal, a.value))}, limit ${f.limit(signal, e?.threshold)}`;
    }
    if (signal === 'request_rate') {
        return `${past(old, 'gets', 'got')} ${f.join(f.rate(a.value))}, at least ${f.limit(signal, e?.threshold)} were expected`;
    }
    return `${past(old, 'is', 'was')} over a limit: ${f.join(f.measure(signal || 'cpu', a.value))}, limit ${f.limit(signal || 'cpu', e?.threshold)}`;
}

const plural = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

const names = (near: live.Series[]): string => (near.length === 1 ? `${near[0]!.service} in ${near[0]!.region} is near its limit. ` : near.length > 1 ? `${near.length} are near their limit. ` : '');

/** What only Prometheus sees, such as a budget that burns, is no tile's trouble, but it fires. */
function slower(): string {
    const of = firing().filter((a) => a.source === 'prometheus');
    const rest = of.length > 1 ? `, and ${of.length - 1} more` : '';
    return of[0] ? `${of[0].name}${of[0].service === '' ? '' : ` of ${of[0].service}`}${rest} ${of.length > 1 ? 'fire' : 'fires'} in Prometheus. ` : '';
}

function healthy(total: number, near: live.Series[]): Verdict {
    const all = live.pairs();
    let requests = 0;
    let failed = 0;
    let slowest = 0;
    for (const s of all) {
        const v = live.shown(s);
        const r = v.rate ?? 0;
        requests += r;
        failed += r * (v.errors ?? 0);
        slowest = Math.max(slowest, v.p99 ?? 0);
    }
    const last = [...live.state.transitions].reverse().find((t) => t.state === 'resolved');
    const incident = last ? `Last incident over ${f.when(Date.parse(last.detected_at), live.now())}.` : 'No incident yet.';
    return {
        subject: '', rest: total === 1 ? `${all[0]!.service} in ${all[0]!.region} is healthy` : `All ${f.count(total)} are healthy`,
        below: `${f.count(requests)} requests a second, ${f.join(f.percent(requests > 0 ? failed / requests : null))} failing, slowest P99 ${f.join(f.seconds(slowest))}. ${names(near)}${slower()}${incident}`,
        level: 'good',
    };
}

function several(alerts: Alert[], old: boolean): { subject: string; rest: string } {
    const services = [...new Set(alerts.map((a) => a.service))];
    const regions = [...new Set(alerts.map((a) => a.region))];
    const all = live.pairs();
    if (regions.length === 1 && services.length > 1 && new Set(all.filter((s) => s.region === regions[0]).map((s) => s.service)).size === services.length) {
        return { subject: `Every service in ${regions[0]}`, rest: past(old, 'is failing', 'was failing') };
    }
    if (services.length === 1 && regions.length > 1) {
        const of = new Set(all.filter((s) => s.service === services[0]).map((s) => s.region)).size;
        return { subject: services[0]!, rest: `${past(old, 'fails', 'failed')} in ${regions.length === of ? 'all' : `${regions.length} of`} ${of} regions` };
    }
    if (services.length === 1) {
        const worst = alerts[0]!;
        return { subject: `${worst.service} in ${worst.region}`, rest: whatIsWrong(worst, old) };
    }
    return { subject: plural(alerts.length, 'alert', 'alerts'), rest: `in ${plural(services.length, 'service', 'services')}` };
}

function spread(alerts: Alert[], total: number, near: number): string {
    const places = new Set(alerts.map((a) => `${a.service}|${a.region}`)).size;
    const services = [...new Set(alerts.map((a) => a.service))];
    const regions = [...new Set(alerts.map((a) => a.region))];
    const head = `${f.count(places)} of ${f.count(total)} in trouble${near > 0 ? `, ${near} near ${near === 1 ? 'its' : 'their'} limit` : ''}`;
    const rest = total - places - near;
    const others = rest <= 0 ? '' : rest === 1 ? ' The other one is healthy' : ` The other ${f.count(rest)} are healthy`;
    if (services.length === 1 && regions.length === 1) {
        const elsewhere = live.pairs().some((s) => s.service === services[0] && s.region !== regions[0]);
        return `${head}.${others}${others && elsewhere ? `; no other region of ${services[0]} is affected` : ''}${others && '.'}`;
    }
    if (regions.length === 1 && places > 1) {
        const first = Math.min(...alerts.map((a) => a.since));
        const within = Math.max(...alerts.map((a) => a.since)) - first;
        const all = live.pairs();
        const sound = near > 0 || all.filter((s) => s.region === regions[0]).length > places ? [] : [...new Set(all.map((s) => s.region))].filter((r) => r !== regions[0]).sort();
        return `${head}, all in one region, within ${within < 1000 ? 'a second' : f.duration(within)} of each other from ${f.clock(first)}.${sound.length > 0 && sound.length <= 3 ? ` ${f.list(sound)} ${sound.length === 1 ? 'is' : 'are'} healthy.` : others && `${others}.`}`;
    }
    return `${head}.${others && `${others}.`}`;
}

/** Before the first window is full nothing is claimed; how long that takes is known once something came. */
function beforeRates(total: number, wait: number): Verdict {
    if (!live.state.everConnected) {
        return { subject: '', rest: 'Connecting', below: '', level: 'unknown' };
    }
    if (total === 0) {
        return { subject: '', rest: `First rates ${live.WINDOW_MS / 1000} s after the first request`, below: 'stream-processor waits for events; services appear here as their first ones come.', level: 'unknown' };
    }
    const services = new Set(live.pairs().map((s) => s.service)).size;
    const regions = new Set(live.pairs().map((s) => s.region)).size;
    return { subject: '', rest: `First rates in ${Math.ceil(wait / 1000)}\u00a0s`, below: `${plural(services, 'service', 'services')} in ${plural(regions, 'region', 'regions')} so far. A rate needs a window of ${live.WINDOW_MS / 1000} s.`, level: 'unknown' };
}

export function verdict(near: live.Series[]): Verdict {
    const total = live.pairs().length;
    const dead = live.state.processors.filter((p) => !p.connected);
    const since = f.clock(live.state.newest);
    if (live.state.everConnected && dead.length > 0 && dead.length === live.state.processors.length && live.age() > 5000) {
        return { subject: live.state.newest > 0 ? `Nothing is known since ${since}` : 'Nothing is known yet', rest: ': stream-processor is down',
            below: dead[0]!.why ?? '', level: 'warning' };
    }
    const old = live.isStale();
    const at = old ? `At ${since}, ` : '';
    const all = troubles();
    const loud = all.filter((a) => a.state !== 'silenced');
    const alerts = loud.length > 0 ? loud : all; // who is silenced never speaks first
    const wait = live.untilRates();
    if (total === 0 || (wait > 0 && alerts.length === 0 && !old)) {
        return beforeRates(total, wait);
    }
    if (alerts.length === 0) {
        if (old) {
            return { subject: '', rest: `No events for ${f.duration(live.age())}`, below: `At ${since}, nothing was firing. What has happened since is not known.`, level: 'unknown' };
        }
        const told = live.pairs().filter((x) => x.firing.length > 0);
        if (!store.firingKnown || told.length > 0) { // nothing claims more than is known
            return { subject: '', rest: store.problems['processor'] ? 'What fires is not known' : 'Reading what fires', below: store.problems['processor'] ?? '', level: 'unknown' };
        }
        return healthy(total, near);
    }
    const level = alerts.some((a) => a.severity === 'critical') ? 'critical' : 'warning';
    const quiet = loud.length > 0 && all.length > loud.length ? ` ${plural(all.length - loud.length, 'more alert is', 'more alerts are')} silenced.` : loud.length === 0 ? ' Silenced: nobody is told.' : '';
    const below = spread(all, total, near.length) + quiet;
    if (alerts.length === 1) {
        return { subject: `${at}${alerts[0]!.service} in ${alerts[0]!.region}`, rest: whatIsWrong(alerts[0]!, old), below, level };
    }
    const words = several(alerts, old);
    return { subject: at + words.subject, rest: words.rest, below, level };
}

/** For the strip on other views: one alert's sentence, to which its name and link belong. */
export function sentence(worst: Alert): { where: string; what: string } {
    if (worst.source === 'stream') {
        const old = live.isStale();
        return { where: `${old ? `At ${f.clock(live.state.newest)}, ` : ''}${worst.service} in ${worst.region}`, what: whatIsWrong(worst, old) };
    }
    const where = [worst.service, worst.region].filter((x) => x !== '').join(', ') || worst.name;
    const summary = worst.annotations['summary'] ?? worst.name;
    return { where, what: summary.startsWith(`${where} `) ? summary.slice(where.length + 1) : summary };
}
