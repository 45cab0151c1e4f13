// Everything that fires, waits to, or is kept quiet, with the reason: joined from the processors, Prometheus and Alertmanager.
import { ApiError, get } from './api.ts';
import * as live from './live.ts';

export interface Evidence {
    rule: string;
    signal: string;
    severity: string;
    firing: boolean;
    verdict: string;
    value: number | null;
    threshold: number | null;
    expected: number | null;
    window_seconds: number;
    samples: number;
    bad: number;
    min_bad: number;
    violations: number;
    for_violations: number;
    clears: number;
    for_clear: number;
    odds: number | null;
    clear_odds: number | null;
    why: string;
}
interface Firing {
    rule: string;
    severity: string;
    fingerprint: string;
    sequence: number;
    labels: Record<string, string>;
    starts_at: string;
    evidence: Evidence;
}
interface PrometheusAlert {
    labels: Record<string, string>;
    annotations: Record<string, string>;
    state: 'pending' | 'firing';
    activeAt: string;
    value: string;
}
interface ManagerAlert {
    fingerprint: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    startsAt: string;
    generatorURL: string;
    status: { state: string; silencedBy: string[]; inhibitedBy: string[] };
}
export interface Matcher {
    name: string;
    value: string;
    isRegex: boolean;
    isEqual: boolean;
}
export interface Silence {
    id: string;
    matchers: Matcher[];
    startsAt: string;
    endsAt: string;
    createdBy: string;
    comment: string;
    status: { state: 'active' | 'pending' | 'expired' };
}
interface RuleGroup {
    rules: { name: string; type: string; query: string; duration?: number; health: string; lastError?: string; labels?: Record<string, string> }[];
}

export type State = 'firing' | 'pending' | 'inhibited' | 'silenced';
export interface Alert {
    key: string; // of the address: fingerprint/sequence, or prometheus/…
    source: 'stream' | 'prometheus';
    name: string;
    severity: string;
    service: string;
    region: string;
    route: string;
    state: State;
    since: number;
    reason: string; // why it isn't firing, in words
    labels: Record<string, string>; // as Alertmanager has them
    annotations: Record<string, string>;
    runbook: string; // a name, or ""
    fingerprint: string;
    sequence: number;
    evidence: Evidence | null;
    value: number | null;
    query: string;
    forMs: number;
    silences: Silence[];
}

export const store = {
    alerts: [] as Alert[],
    silences: [] as Silence[],
    limits: new Map<string, { signal: string; threshold: number | null; severity: string }>(),
    rulesHealthy: 0,
    rulesTotal: 0,
    targetsUp: 0,
    targetsTotal: 0,
    problems: {} as Record<string, string>, // of each input: why it can't be read
    loaded: false,
    firingKnown: false, // what the processors say fires has been read, and could be read last time
};

const raw = { firing: [] as Firing[], prometheus: [] as PrometheusAlert[], manager: [] as ManagerAlert[], groups: [] as RuleGroup[] };
const listeners = new Set<() => void>();
export function onAlerts(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

export const runbookName = (url: string | undefined): string => /runbooks\/([a-z0-9-]+)(\.md)?$/.exec(url ?? '')?.[1] ?? '';

const text = (labels: Record<string, string>, name: string): string => labels[name] ?? '';

function managed(labels: Record<string, string>): ManagerAlert | undefined {
    return raw.manager.find((m) => ['alertname', 'service_name', 'cloud_region', 'detector'].every((n) => text(m.labels, n) === text(labels, n)));
}

function nameOfFingerprint(fingerprint: string): string {
    const m = raw.manager.find((a) => a.fingerprint === fingerprint);
    return m ? `${m.labels['alertname']} (${m.labels['severity'] ?? 'alert'})` : 'another alert';
}

/** What Alertmanager makes of an alert: state and the reason in words. */
function judge(alert: Alert, m: ManagerAlert | undefined): void {
    alert.silences = (m?.status.silencedBy ?? []).map((id) => store.silences.find((s) => s.id === id)).filter((s): s is Silence => !!s);
    if (m && m.status.silencedBy.length > 0) {
        alert.state = 'silenced';
        const s = alert.silences[0];
        alert.reason = s ? `${s.createdBy}: “${s.comment}”` : 'silenced';
    } else if (m && m.status.inhibitedBy.length > 0) {
        alert.state = 'inhibited';
        alert.reason = `quiet while ${nameOfFingerprint(m.status.inhibitedBy[0]!)} fires`;
    }
}

function fromStream(f: Firing): Alert {
    const labels: Record<string, string> = { alertname: f.rule, service_name: text(f.labels, 'service.name'),
        cloud_region: text(f.labels, 'cloud.region'), severity: f.severity, detector: 'stream' };
    const m = managed(labels);
    const transition = live.state.transitions.find((t) => t.fingerprint === f.fingerprint && t.sequence === f.sequence);
    const alert: Alert = {
        key: `${f.fingerprint}/${f.sequence}`, source: 'stream', name: f.rule, severity: f.severity,
        service: labels['service_name']!, region: labels['cloud_region']!, route: text(f.labels, 'http.route'), state: 'firing',
        since: live.firstViolated(transition ?? f), reason: '', labels, annotations: m?.annotations ?? {},
        runbook: runbookName(transition?.runbook_url ?? m?.annotations['runbook_url']), fingerprint: f.fingerprint,
        sequence: f.sequence, evidence: f.evidence, value: f.evidence.value, query: '', forMs: 0, silences: [],
    };
    judge(alert, m);
    return alert;
}

function fromPrometheus(p: PrometheusAlert): Alert {
    const name = text(p.labels, 'alertname');
    const rule = raw.groups.flatMap((g) => g.rules).find((r) => r.type === 'alerting' && r.name === name &&
        Object.entries(r.labels ?? {}).every(([n, v]) => v.includes('{{') || p.labels[n] === v));
    const forMs = (rule?.duration ?? 0) * 1000;
    const key = Object.entries(p.labels).filter(([n]) => n !== 'alertname').sort().map(([n, v]) => `${n}=${v}`).join(',');
    const alert: Alert = {
        key: `prometheus/${encodeURIComponent(name)}?of=${encodeURIComponent(key)}`, source: 'prometheus', name,
        severity: text(p.labels, 'severity'), service: text(p.labels, 'service_name'), region: text(p.labels, 'cloud_region'),
        route: '', state: p.state, since: Date.parse(p.activeAt), reason: '', labels: p.labels, annotations: p.annotations,
        runbook: runbookName(p.annotations['runbook_url']), fingerprint: key, sequence: 0, evidence: null,
        value: Number(p.value), query: rule?.query ?? '', forMs, silences: [],
    };
    if (p.state === 'firing') {
        judge(alert, managed(p.labels));
    }
    return alert;
}

const SEVERITIES = ['critical', 'warning', 'info'];
const severityRank = (s: string): number => (SEVERITIES.indexOf(s) + 1 || 4) - 1;
/** How far past its limit, so that shares and seconds compare. */
const excess = (a: Alert): number => (a.value ?? 0) / (a.evidence?.threshold || 1);

function join(): void {
    store.alerts = [
        ...raw.firing.map(fromStream),
        ...raw.prometheus.filter((p) => p.labels['alertname'] !== 'Watchdog').map(fromPrometheus),
    ].sort((a, b) => Number(a.state === 'silenced') - Number(b.state === 'silenced') || Number(b.source === 'stream') - Number(a.source === 'stream') || severityRank(a.severity) - severityRank(b.severity) || excess(b) - excess(a) || a.key.localeCompare(b.key));
    troubleAt.clear();
    pendingAt.clear();
    for (const a of store.alerts) {
        if (a.state === 'pending') {
            pendingAt.add(place(a.service, a.region));
        } else if (a.source === 'stream' && a.state !== 'inhibited' && !troubleAt.has(place(a.service, a.region))) {
            troubleAt.set(place(a.service, a.region), a);
        }
    }
    listeners.forEach((l) => l());
}

// Of each pair of service and region its worst alert: a wall of ten thousand asks each second.
const place = (service: string, region: string): string => `${service}|${region}`;
const troubleAt = new Map<string, Alert>();
const pendingAt = new Set<string>();
export const troubleOf = (service: string, region: string): Alert | null => troubleAt.get(place(service, region)) ?? null;
export const isPending = (service: string, region: string): boolean => pendingAt.has(place(service, region));

export const inState = (s: State): Alert[] => store.alerts.filter((a) => a.state === s);
export const firing = (): Alert[] => inState('firing');
/** What makes a tile red: also what is silenced, for it is still so; that comes last. */
export const troubles = (): Alert[] => store.alerts.filter((a) => a.source === 'stream' && a.state !== 'inhibited');

// --- reading ---

async function read(name: string, take: () => Promise<void>): Promise<void> {
    try {
        await take();
        delete store.problems[name];
    } catch (e) {
        store.firingKnown = store.firingKnown && name !== 'processor';
        store.problems[name] = e instanceof ApiError ? e.message : String(e);
    }
}

const readFiring = (): Promise<void> => read('processor', async () => {
    raw.firing = (await get<{ alerts: Firing[] }>('/api/firing')).alerts;
    store.firingKnown = true;
});
const readManager = (): Promise<void> => read('Alertmanager', async () => {
    const [alerts, silences] = await Promise.all([get<ManagerAlert[]>('/api/alertmanager/alerts'), get<Silence[]>('/api/alertmanager/silences')]);
    raw.manager = alerts;
    store.silences = silences.filter((s) => s.status.state !== 'expired').sort((a, b) => a.endsAt.localeCompare(b.endsAt));
});
const readPrometheus = (): Promise<void> => read('Prometheus', async () => {
    raw.prometheus = (await get<{ data: { alerts: PrometheusAlert[] } }>('/api/prometheus/alerts')).data.alerts;
});
const readRules = (): Promise<void> => read('rules', async () => {
    raw.groups = (await get<{ data: { groups: RuleGroup[] } }>('/api/prometheus/rules')).data.groups;
    const rules = raw.groups.flatMap((g) => g.rules);
    store.rulesTotal = rules.length;
    store.rulesHealthy = rules.filter((r) => r.health !== 'err').length;
    const targets = (await get<{ data: { activeTargets: { health: string }[] } }>('/api/prometheus/targets?state=active')).data.activeTargets;
    store.targetsTotal = targets.length;
    store.targetsUp = targets.filter((t) => t.health === 'up').length;
});
const readLimits = (): Promise<void> => read('limits', async () => {
    const all = (await get<{ series: { rules: Evidence[] }[] }>('/api/series')).series;
    for (const rule of all.slice(0, 50).flatMap((s) => s.rules)) {
        if (rule.threshold !== null && (rule.signal !== 'request_rate' || !store.limits.has(rule.rule))) {
            store.limits.set(rule.rule, { signal: rule.signal, threshold: rule.threshold, severity: rule.severity });
        }
    }
});

export async function refresh(): Promise<void> {
    await Promise.all([readFiring(), readManager(), readPrometheus()]);
    store.loaded = true;
    join();
}
export async function refreshStream(): Promise<void> {
    await readFiring();
    join();
}

/** The limit of the rules on a signal: of errors and P99 by default. */
export function limitOf(signal: string): number | null {
    for (const l of store.limits.values()) {
        if (l.signal === signal) {
            return l.threshold;
        }
    }
    return null;
}

/** What a latency objective calls fast, s: its rule counts the bucket under it. */
export function latencyLimit(sloth: string): number | null {
    const rule = raw.groups.flatMap((g) => g.rules).find((r) => r.labels?.['sloth_id'] === sloth && /le="[0-9.]+"/.test(r.query));
    return rule ? Number(/le="([0-9.]+)"/.exec(rule.query)![1]) : null;
}

let turn = 0;
let firingNames = '';
export function start(): void {
    void Promise.all([readRules(), readLimits()]).then(refresh);
    setInterval(() => {
        if (document.hidden || !live.state.connected) {
            return;
        }
        turn++;
        if (turn % 30 === 0 || store.limits.size === 0 && turn % 3 === 0 || (store.rulesTotal === 0 || store.targetsTotal === 0) && turn % 5 === 0) {
            void Promise.all([readRules(), readLimits()]).then(join);
        }
        if (turn % 5 === 0) {
            void refresh();
        } else if (raw.firing.length > 0) {
            void refreshStream();
        }
    }, 1000);
    const rowsChanged = (): void => {
        const names = live.pairs().filter((s) => s.firing.length > 0).map((s) => `${s.id}:${s.firing.join()}`).join();
        if (names !== firingNames) {
            firingNames = names;
            void refreshStream();
            setTimeout(() => void refresh(), 1500); // by then Alertmanager has heard of it
        }
    };
    live.on('tick', rowsChanged);
    live.on('transition', () => void refreshStream());
    live.on('connection', () => {
        if (live.state.connected) {
            void refresh();
        }
    });
    document.addEventListener('visibilitychange', () => !document.hidden && void refresh());
}
