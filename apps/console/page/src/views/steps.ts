// The first two minutes: live traffic, a fault of one's own, and how it is found and clears.
import * as alerts from '../alerts.ts';
import { h, replaceWhen, setText } from '../dom.ts';
import { endFault, faults, readFaults, startFault, type Fault } from '../faults.ts';
import * as f from '../format.ts';
import * as live from '../live.ts';
import { button, link } from '../ui.ts';

const DONE = 'console.steps-done';
const SERVICE = 'payment-service';
const REGION = 'eu-west-1';
const SHARE = 0.35;
const SECONDS = 20;

export function showSteps(): void {
    localStorage.removeItem(DONE);
    started = null;
}

// Kept when the view is left for "Why?" and entered again.
let started: Fault | null = null;
let problem = '';

const began = (): number => Date.parse(started!.begin);
const found = (): live.Transition | undefined => live.state.transitions.find((t) => t.state === 'firing' && t.labels['service.name'] === SERVICE && t.labels['cloud.region'] === REGION && Date.parse(t.detected_at) > began());
const cleared = (t: live.Transition): live.Transition | undefined => live.state.transitions.find((x) => x.state === 'resolved' && x.fingerprint === t.fingerprint && Date.parse(x.detected_at) > Date.parse(t.detected_at));

export function makeSteps(): { element: HTMLElement; update: () => void; destroy: () => void } {
    const element = h('section.steps', { 'aria-label': 'First steps', hidden: true });
    const hide = (): void => {
        localStorage.setItem(DONE, '1');
        update();
    };
    const start = (): void => {
        problem = '';
        startFault({ type: 'error_burst', service: SERVICE, region: REGION, magnitude: SHARE, duration: `${SECONDS}s` }).then((fault) => {
            started = fault;
            update();
        }, (e: Error) => {
            problem = e.message;
            update();
        });
    };
    const step = (n: number, done: boolean, name: string, key: string): HTMLElement => h('div.step', {}, h(`span.step-mark${done ? '.done' : ''}` as 'span', {}, done ? '✓' : String(n)), h('div', {}, h('b', {}, name), h(`p.muted.small.step-${key}` as 'p', {})));

    const update = (): void => {
        const all = live.pairs();
        const hasTarget = live.findSeries(SERVICE, REGION) !== undefined;
        const isSimulated = faults.loaded && faults.problem === '';
        element.hidden = localStorage.getItem(DONE) === '1' || !isSimulated || all.length === 0 || (!hasTarget && started === null);
        if (element.hidden) {
            return;
        }
        const now = live.now();
        const t = started ? found() : undefined;
        const end = started ? Date.parse(started.end ?? '') || began() + SECONDS * 1000 : 0;
        const over = t ? cleared(t) : undefined;
        const isRunning = started !== null && now < end;
        const services = new Set(all.map((s) => s.service)).size;
        const regions = new Set(all.map((s) => s.region)).size;
        const rate = live.untilRates() > 0 ? 'rates are being counted' : `${f.count(all.reduce((n, s) => n + (live.shown(s).rate ?? 0), 0))} requests/s`;
        const phase = over ? 'cleared' : t ? (isRunning ? 'found' : 'clearing') : started ? (isRunning ? 'running' : 'unfound') : 'ready';
        replaceWhen(element, phase + problem, () => {
            const actions = h('div.step-actions');
            if (phase === 'ready') {
                actions.append(button('Start the fault', start, { primary: true }), button('Hide', hide, { class: 'quiet' }));
            } else if (phase === 'running') {
                actions.append(button('End it', () => started && void endFault(started.id)));
            } else if (phase === 'cleared' || phase === 'unfound') {
                actions.append(link('Break your own in Lab', '/lab', { primary: true }), button('Done', hide, { class: 'quiet' }));
            } else {
                actions.append(link('Why?', `/alerts/${t!.fingerprint}/${t!.sequence}`, { primary: true }));
            }
            return [step(1, true, 'This is live traffic', 'one'), step(2, started !== null, 'Break something', 'two'), step(3, t !== undefined, 'Watch it be found', 'three'), actions];
        });
        const say = (key: string, text: string): void => setText(element.querySelector(`.step-${key}`)!, text);
        say('one', `${services} simulated services in ${regions} regions, ${rate}`);
        say('two', problem !== '' ? problem : isRunning ? `Fault runs, ${f.duration(end - now)} left` : started ? 'The fault has ended' : `${SHARE * 100} % of ${SERVICE} in ${REGION} fails for ${SECONDS} s`);
        const e = alerts.troubles().find((a) => t && a.fingerprint === t.fingerprint)?.evidence;
        say('three', over ? `Cleared ${f.delay(Date.parse(over.detected_at) - end)} after the fault ended. Now break your own in Lab.`
            : t && !isRunning && e ? `${e.clear_odds && e.odds !== null && e.odds >= e.clear_odds * 0.999 ? '100 to 1 that it is over' : 'Not yet sure that it is over'}; ${Math.max(0, e.for_clear - e.clears)} quiet seconds to go`
                : t ? `Found ${f.delay(Date.parse(t.detected_at) - began())} after it began.`
                    : started && !isRunning ? 'It wasn’t found this time: too few requests failed to rule out chance.' : 'Alert here in about 6 s, gone about 25 s after the end');
    };
    const timer = window.setInterval(() => document.hidden || (started === null && faults.loaded ? undefined : void readFaults().then(() => {
        started = started ? faults.list.find((x) => x.id === started!.id) ?? started : null;
        update();
    })), 1000);
    void readFaults().then(update);
    return { element, update, destroy: () => clearInterval(timer) };
}
