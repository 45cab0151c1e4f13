// A runbook, as its file has it.
import { getText } from '../api.ts';
import { h, replace } from '../dom.ts';
import { render } from '../markdown.ts';
import { currentPath } from '../router.ts';
import { problem } from '../ui.ts';
import type { View } from '../view.ts';

export function makeRunbook(): View {
    const article = h('article.panel.runbook');
    const element = h('div.page', {}, h('p', {}, h('a', { href: '/alerts' }, '← Alerts')), article);
    const load = (): void => {
        const name = currentPath().slice('/runbooks/'.length).replace(/\.md$/, '');
        getText(`/api/runbooks/${encodeURIComponent(name)}`).then((text) => replace(article, render(text)),
            (e: Error) => replace(article, problem('This runbook can’t be shown', e.message, load)));
    };
    load();
    return { element, title: 'Runbook', navigated: () => {
        load();
        return true;
    } };
}
