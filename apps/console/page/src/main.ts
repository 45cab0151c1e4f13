// The console: one document, a view for each tab.
import * as alerts from './alerts.ts';
import { replace } from './dom.ts';
import { applyZone, makeFrame, TABS, toggleZone } from './frame.ts';
import { setGlobalKeys, setViewKeys, showKeys } from './keys.ts';
import * as live from './live.ts';
import { currentPath, navigate, onNavigate } from './router.ts';
import { copy, pinnedLink } from './ui.ts';
import type { View } from './view.ts';
import { makeAlerts } from './views/alerts.ts';
import { makeDashboards } from './views/dashboards.ts';
import { makeLab } from './views/lab.ts';
import { makeLogs } from './views/logs.ts';
import { makeOverview, showSteps } from './views/overview.ts';
import { makeRunbook } from './views/runbook.ts';
import { makeSlos } from './views/slos.ts';

const VIEWS: [string, () => View][] = [
    ['/d/', makeDashboards], ['/dashboards', makeDashboards], ['/alerts', makeAlerts], ['/slos', makeSlos], ['/logs', makeLogs],
    ['/lab', makeLab], ['/runbooks/', makeRunbook], ['/', makeOverview],
];

const help = (): void => showKeys(() => {
    showSteps();
    navigate('/');
});
const frame = makeFrame(help);
let made: (() => View) | null = null;
let view: View | null = null;

function show(): void {
    const make = VIEWS.find(([prefix]) => currentPath().startsWith(prefix))![1];
    applyZone();
    if (view && made === make && view.navigated?.()) {
        view.update?.();
    } else {
        const isFirst = view === null;
        view?.destroy?.();
        made = make;
        view = make();
        replace(frame.main, view.element);
        view.update?.();
        if (!isFirst) {
            frame.main.focus({ preventScroll: true });
            scrollTo(0, 0);
        }
    }
    setViewKeys(view.keys ?? {});
    document.title = `${view.title} · Console`;
    frame.navigated();
}

setGlobalKeys({
    ...Object.fromEntries(TABS.map((t, i) => [String(i + 1), () => navigate(t.href)])),
    u: toggleZone,
    c: () => void copy(pinnedLink()),
    '?': help,
    Escape: () => (currentPath() === '/' ? undefined : history.length > 1 ? history.back() : navigate('/')),
});
onNavigate(show);
live.on('tick', () => view?.update?.());
alerts.onAlerts(() => view?.update?.());
setInterval(frame.tick, 200);

document.getElementById('app')!.replaceChildren(frame.element); // instead of the head that the document paints at once
show();
live.connect();
alerts.start();
