// Single keys, with a list of them and a switch that turns them off.
import { h } from './dom.ts';
import { openSheet } from './sheet.ts';

export type Keys = Record<string, () => void>;
let global: Keys = {};
let view: Keys = {};
export const setGlobalKeys = (keys: Keys): void => void (global = keys);
export const setViewKeys = (keys: Keys): void => void (view = keys);

const OFF = 'console.keys-off';
export const keysAreOff = (): boolean => localStorage.getItem(OFF) === '1';

const inField = (target: EventTarget | null): boolean =>
    target instanceof HTMLElement && (target.matches('input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select') || target.isContentEditable);

addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || document.querySelector('dialog[open]')) {
        return;
    }
    const key = event.key === ' ' ? 'space' : event.key;
    if (keysAreOff() && key !== 'Escape') {
        return;
    }
    // Enter and space belong to the button or link that has the focus.
    if ((key === 'Enter' || key === 'space') && event.target instanceof HTMLElement && event.target.closest('a, button, summary, input, [role=row], [tabindex="0"]:not(main)')) {
        return;
    }
    const action = view[key] ?? global[key];
    if (action) {
        event.preventDefault();
        action();
    }
});

const LIST: [string, string][] = [
    ['1 – 6', 'views'], ['/', 'filter'], ['j k', 'next, previous'], ['Enter', 'open'], ['Esc', 'close, back'], ['w', 'why'],
    ['l', 'logs'], ['s', 'silence'], ['b', 'runbook'], ['c', 'copy link'], ['p', 'copy PromQL'], ['t', 'time range'],
    ['[ ]', 'earlier, later'], ['space', 'pause'], ['u', 'UTC / local'], ['?', 'this list'],
];

export function showKeys(showSteps: () => void): void {
    const off = h('input', { type: 'checkbox', onchange: (e: Event) => localStorage.setItem(OFF, (e.target as HTMLInputElement).checked ? '0' : '1') });
    off.checked = !keysAreOff();
    openSheet('Keys', (close) => [
        h('dl.keys', {}, LIST.map(([key, what]) => h('div', {}, h('dt', {}, key.split(' ').map((k) => (k === '–' ? ' – ' : h('kbd', {}, k)))), h('dd', {}, what)))),
        h('p.muted', {}, 'In the matrix, arrows move; on a plot, arrows move the crosshair.'),
        h('label.check', {}, off, ' Single keys are on'),
        h('p', {}, h('button.button', { type: 'button', onclick: () => {
            close();
            showSteps();
        } }, 'Show the first steps again')),
    ]);
}
