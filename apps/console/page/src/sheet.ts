// A sheet: a dialog at the side, from below on a phone.
import { h, type Child } from './dom.ts';

export function openSheet(title: string, contents: (close: () => void) => Child): () => void {
    const dialog = h('dialog.sheet', { 'aria-labelledby': 'sheet-title' });
    const close = (): void => dialog.close();
    dialog.append(h('header.sheet-head', {}, h('h2', { id: 'sheet-title' }, title),
        h('button.quiet', { type: 'button', 'aria-label': 'Close, esc', onclick: close }, h('kbd', {}, 'esc'))));
    const body = h('div.sheet-body');
    body.append(...[contents(close)].flat(9).filter((c): c is Node => c instanceof Node));
    dialog.append(body);
    dialog.addEventListener('close', () => dialog.remove());
    dialog.addEventListener('click', (e) => e.target === dialog && close());
    document.body.append(dialog);
    dialog.showModal();
    return close;
}
