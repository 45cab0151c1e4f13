// The stream of everything live: one connection, one store that every view reads.
export interface Values {
    rate: number | null;
    errors: number | null;
    p99: number | null;
}
export interface Series {
    id: number;
    service: string;
    region: string;
    route: string;
    time: number;
    window: Values;
    minute: Values;
    firing: string[];
    born: number; // event time of the first second that is known of it, ms; of a page opened later to the next bar's begin
    slot: number; // of the newest bar
    bars: (Values | null)[]; // by slot % BARS
}
export interface Transition {
    alert_id: string;
    sequence: number;
    fingerprint: string;
    state: 'firing' | 'resolved';
    reason?: string;
    rule: string;
    severity: string;
    labels: Record<string, string>;
    signal: string;
    value: number | null;
    threshold: number;
    samples: number;
    bad: number;
    window_seconds: number;
    evaluations: number;
    starts_at: string;
    ends_at?: string;
    detected_at: string;
    summary: string;
    runbook_url: string;
}
export interface Notification {
    received_unix_ms: number;
    webhook: { status: string; alerts?: { status: string; labels: Record<string, string>; startsAt: string }[] };
}
export interface Processor {
    url: string;
    connected: boolean;
    lag_seconds: number;
    last_event_unix_ms: number;
    why?: string;
}

export const BARS = 60;
export const BAR_MS = 5000;
export const WINDOW_MS = 10000; // the shortest
const MINUTE_MS = 60000;
const BACKOFF_S = [1, 2, 4, 8, 15];

type Row = [number, number, ...(number | null)[]] | [number, number, number, number, number, number, number, number, string[]];
interface Tick {
    now_unix_ms: number;
    newest_unix_ms: number;
    processors: Processor[];
    new: [number, string, string, string?][];
    rows: Row[];
    bars?: [number, number, (number | null)[]][];
    transitions?: Transition[];
    notifications?: Notification[];
    acceptances?: Acceptance[];
}

/** When Alertmanager took an alert first, by its own clock; there is none where nobody saw it. */
interface Acceptance {
    alert_id: string;
    accepted_unix_ms: number;
}

export const state = {
    series: new Map<number, Series>(),
    transitions: [] as Transition[], // oldest first
    notifications: [] as Notification[],
    accepted: new Map<string, number>(), // ms, by alert_id
    processors: [] as Processor[],
    newest: 0, // event time of the newest thing shown
    connected: false,
    everConnected: false,
    lostAt: 0,
    retryAt: 0,
};

let offset = 0; // the server's clock minus ours
export const now = (): number => Date.now() + offset;

type Kind = 'tick' | 'transition' | 'notification' | 'connection';
const listeners = new Map<Kind, Set<(t?: Transition) => void>>();
export function on(kind: Kind, listener: (t?: Transition) => void): () => void {
    const set = listeners.get(kind) ?? new Set();
    listeners.set(kind, set);
    set.add(listener);
    return () => set.delete(listener);
}
const tell = (kind: Kind, t?: Transition): void => listeners.get(kind)?.forEach((l) => l(t));

const values = (r: (number | null)[], at: number): Values => ({ rate: r[at] ?? null, errors: r[at + 1] ?? null, p99: r[at + 2] ?? null });

function takeNames(names: Tick['new']): void {
    for (const [id, service, region, route] of names) {
        if (!state.series.has(id)) {
            state.series.set(id, { id, service, region, route: route ?? '', time: 0, window: values([], 0),
                minute: values([], 0), firing: [], born: 0, slot: 0, bars: new Array<Values | null>(BARS).fill(null) });
        }
    }
}

function noteBar(series: Series): void {
    const slot = Math.floor(series.time / BAR_MS);
    for (let s = Math.max(series.slot + 1, slot - BARS + 1); series.slot !== 0 && s < slot; s++) {
        series.bars[s % BARS] = null;
    }
    series.bars[slot % BARS] = series.window;
    series.slot = slot;
}

function takeRows(rows: Row[]): void {
    for (const row of rows) {
        const series = state.series.get(row[0]);
        if (series) {
            const numbers = row as (number | null)[];
            series.time = row[1];
            series.window = values(numbers, 2);
            series.minute = values(numbers, 5);
            series.born ||= series.time;
            series.firing = (row[8] as unknown as string[] | undefined) ?? [];
            noteBar(series);
        }
    }
}

function takeBars(bars: NonNullable<Tick['bars']>): void {
    for (const [id, slot, list] of bars) {
        const series = state.series.get(id);
        if (series && slot > 0) {
            series.slot = slot;
            for (let i = 0; i < BARS; i++) {
                const v = values(list, i * 3);
                series.bars[(slot - BARS + 1 + i) % BARS] = v.rate === null ? null : v;
            }
            const first = series.bars.map((_, i) => slot - BARS + 1 + i).find((at) => series.bars[at % BARS] !== null) ?? slot;
            series.born = first === slot - BARS + 1 ? first * BAR_MS - MINUTE_MS : Math.min(series.time || Infinity, (first + 1) * BAR_MS);
        }
    }
}

function addTransition(t: Transition): boolean {
    if (state.transitions.some((x) => x.alert_id === t.alert_id)) {
        return false;
    }
    state.transitions.push(t);
    state.transitions.sort((a, b) => a.detected_at.localeCompare(b.detected_at));
    if (state.transitions.length > 400) {
        state.transitions.shift();
    }
    return true;
}

function takeTick(tick: Tick): void {
    offset = tick.now_unix_ms - Date.now();
    state.newest = tick.newest_unix_ms;
    state.processors = tick.processors;
    takeNames(tick.new);
    takeRows(tick.rows);
}

const addAcceptance = (a: Acceptance): unknown => state.accepted.set(a.alert_id, a.accepted_unix_ms);

function takeHello(tick: Tick): void {
    // Numbers of series are of that run of the server.
    state.series.clear();
    takeTick(tick);
    takeBars(tick.bars ?? []);
    const fresh = (tick.transitions ?? []).filter(addTransition);
    state.notifications = tick.notifications ?? [];
    (tick.acceptances ?? []).forEach(addAcceptance);
    state.connected = state.everConnected = true;
    tell('connection');
    tell('tick');
    // What happened while we were away is told like what happens now; the first hello is no news.
    fresh.slice(-20).forEach((t) => tell('transition', state.lostAt > 0 ? t : undefined));
    state.lostAt = 0;
}

let source: EventSource | null = null;
let failures = 0;
let timer = 0;
let watchdog = 0;

function lose(): void {
    source?.close();
    source = null;
    clearTimeout(watchdog);
    if (state.connected || state.lostAt === 0) {
        state.lostAt = Date.now();
    }
    state.connected = false;
    const wait = BACKOFF_S[Math.min(failures++, BACKOFF_S.length - 1)]! * 1000 * (0.85 + Math.random() * 0.3);
    state.retryAt = Date.now() + wait;
    clearTimeout(timer);
    timer = window.setTimeout(connect, wait);
    tell('connection');
}

/** The server speaks every second; a network that swallows everything says nothing, so silence is a loss too. */
function heard(): void {
    clearTimeout(watchdog);
    watchdog = window.setTimeout(lose, 6000);
}

export function connect(): void {
    clearTimeout(timer);
    source?.close();
    source = new EventSource('/api/stream');
    heard();
    source.onerror = lose;
    const listen = (name: string, take: (data: never) => void): void => source!.addEventListener(name, (e) => {
        heard();
        take(JSON.parse((e as MessageEvent<string>).data) as never);
    });
    listen('hello', (tick: Tick) => {
        failures = 0;
        takeHello(tick);
    });
    listen('tick', (tick: Tick) => {
        takeTick(tick);
        tell('tick');
    });
    listen('transition', (t: Transition) => {
        if (addTransition(t)) {
            tell('transition', t);
        }
    });
    listen('acceptance', addAcceptance);
    listen('notification', (n: Notification) => {
        if (!state.notifications.some((x) => x.received_unix_ms === n.received_unix_ms)) {
            state.notifications.push(n);
            state.notifications.splice(0, Math.max(0, state.notifications.length - 64));
            tell('notification');
        }
    });
}

/** A window's rate means something once the window is full. */
const lived = (s: Series): number => (s.born === 0 ? 0 : state.newest - s.born);
/** What people read: the last 60 s, the shortest window until there are so many, nothing before that is full. */
export function shown(s: Series): Values {
    const none = lived(s) < WINDOW_MS;
    return none ? { rate: null, errors: null, p99: null } : { rate: lived(s) < MINUTE_MS ? s.window.rate : s.minute.rate ?? s.window.rate, errors: s.minute.errors ?? s.window.errors, p99: s.minute.p99 ?? s.window.p99 };
}
/** Some are younger than the minute that tiles speak of. */
export const isYoung = (): boolean => pairs().some((s) => lived(s) < MINUTE_MS);
/** How long until the first window is full, ms; 0: there are rates. Infinity: nothing has come yet. */
export function untilRates(): number {
    const oldest = Math.max(-Infinity, ...pairs().map(lived));
    return Math.max(0, WINDOW_MS - oldest);
}
/** An alert's first violated second is known by its end; people, plots and rows of the history name its beginning. */
export const firstViolated = (t: { starts_at: string }): number => Date.parse(t.starts_at) - 1000;

/** Services × regions; a route's own series belong to their service's. */
export const pairs = (): Series[] => [...state.series.values()].filter((s) => s.route === '');
export const findSeries = (service: string, region: string): Series | undefined =>
    pairs().find((s) => s.service === service && s.region === region);

/** The bars of the last five minutes, oldest first. */
export function barsOf(series: Series): (Values | null)[] {
    const newest = Math.max(series.slot, Math.floor((now() - 3000) / BAR_MS));
    return Array.from({ length: BARS }, (_, i) => {
        const slot = newest - BARS + 1 + i;
        const isFull = (slot + 1) * BAR_MS >= series.born + WINDOW_MS; // before that a bar would grow with its window, not with the traffic
        return !isFull || slot > series.slot || slot <= series.slot - BARS ? null : series.bars[slot % BARS]!;
    });
}

export const STALE_MS = 30000;
/** How old what is shown is, ms. */
export const age = (): number => (state.newest === 0 ? 0 : Math.max(0, now() - state.newest));
export const isStale = (): boolean => state.newest !== 0 && age() > STALE_MS;
