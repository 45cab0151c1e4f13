// Single figures: stat with its spark line, bar gauges (a gauge is drawn as one too: no dials).
import { h } from '../dom.ts';
import * as icons from '../icons.ts';
import { color } from '../plot.ts';
import { colorName, fieldOf, isTrouble, type Panel, stepOf } from './model.ts';
import { align, type Asked, lastOf, legend } from './query.ts';
import * as units from './units.ts';
import type { Scope } from './variables.ts';

interface Single {
    name: string;
    value: number | null;
    line: (number | null)[];
}

function singles(asked: Asked[], scope: Scope): Single[] {
    const instants = asked.flatMap((a) => a.samples.map((s) => ({ name: legend(a.target, s.metric), value: Number(s.value[1]), line: [] as (number | null)[] })));
    return [...instants, ...align(asked, scope).series.map((s) => ({ name: s.name, value: lastOf(s.values), line: s.values }))];
}

function spark(line: (number | null)[], tone: string): HTMLCanvasElement {
    const canvas = h('canvas.stat-spark', { 'aria-hidden': 'true' });
    requestAnimationFrame(() => {
        const dpr = devicePixelRatio;
        const [w, height] = [canvas.clientWidth * dpr, canvas.clientHeight * dpr];
        canvas.width = w;
        canvas.height = height;
        const ctx = canvas.getContext('2d')!;
        const most = Math.max(1e-12, ...line.map((v) => v ?? 0)) * 1.1;
        ctx.strokeStyle = color(tone);
        ctx.lineWidth = 1.5 * dpr;
        ctx.beginPath();
        let down = false;
        line.forEach((v, i) => {
            if (v === null) {
                down = false;
                return;
            }
            const x = (i / Math.max(1, line.length - 1)) * w;
            const y = height - dpr - (v / most) * (height - 2 * dpr);
            ctx[down ? 'lineTo' : 'moveTo'](x, y);
            down = true;
        });
        ctx.stroke();
    });
    return canvas;
}

export function drawStat(panel: Panel, asked: Asked[], scope: Scope): HTMLElement | null {
    const list = singles(asked, scope).filter((s) => s.value !== null);
    const first = list[0];
    if (!first) {
        return null;
    }
    const field = fieldOf(panel, first.name);
    const step = stepOf(field, first.value);
    const trouble = step !== null && isTrouble(step.color);
    const tone = trouble ? colorName(step.color) : '--series-1';
    const fig = units.figure(field, first.value);
    const named = panel.options?.['textMode'] === 'value_and_name';
    const value = h('span.stat-value', {}, h('span.num', {}, fig.value), fig.unit === '' ? null : h('small', {}, ' ', fig.unit));
    if (trouble) {
        value.classList.add(step.color === 'red' ? 'critical' : 'warning');
    }
    return h('div.stat', {}, h('div', {}, h('p', {}, value, trouble && step.value !== null ? h('span.stat-over', { class: `stat-over ${step.color === 'red' ? 'critical' : 'warning'}` }, step.color === 'red' ? icons.critical() : icons.warning(), ` over ${units.axis(field, step.value)}`) : null),
        named ? h('p.muted.small.stat-name', {}, first.name.split(' ').map((word) => [h('span', {}, word), ' '])) : null), panel.options?.['graphMode'] === 'area' && first.line.length > 1 ? spark(first.line, tone) : null);
}

export function drawBarGauge(panel: Panel, asked: Asked[], scope: Scope): HTMLElement | null {
    const list = singles(asked, scope).filter((s) => s.value !== null).sort((a, b) => a.name.localeCompare(b.name));
    if (list.length === 0) {
        return null;
    }
    const most = Math.max(...list.map((s) => s.value!), 0);
    return h('div.bar-gauge', {}, list.map((s) => {
        const field = fieldOf(panel, s.name);
        const step = stepOf(field, s.value);
        const max = field.max ?? (most || 1);
        const fill = h('i');
        fill.style.width = `${Math.max(0, Math.min(1, (s.value! - (field.min ?? 0)) / (max - (field.min ?? 0) || 1))) * 100}%`;
        fill.style.background = `var(${step ? colorName(step.color) : '--series-1'})`;
        const value = h(`b.num${step && isTrouble(step.color) ? (step.color === 'red' ? '.critical' : '.warning') : ''}` as 'b', {}, units.text(field, s.value));
        return h('div.bar-gauge-row', {}, h('span', {}, s.name), h('span.meter', {}, fill), value);
    }));
}
