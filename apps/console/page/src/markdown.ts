// Our runbooks' Markdown as elements: headings, lists with blocks in them, code, tables, bold, code, links. Text is always
// text: nothing of a file is read as HTML.
import { h, type Child } from './dom.ts';

function href(target: string): string | null {
    const runbook = /^(?:\.\/|runbooks\/)?([a-z0-9-]+)\.md(?:#.*)?$/.exec(target);
    if (runbook) {
        return `/runbooks/${runbook[1]}`;
    }
    return /^https?:\/\//.test(target) ? target : null;
}

export function inline(text: string): Child[] {
    const out: Child[] = [];
    const pattern = /`([^`]+)`|\*\*([^*]+(?:\*[^*]+)*)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
    let at = 0;
    for (const m of text.matchAll(pattern)) {
        out.push(text.slice(at, m.index));
        at = m.index + m[0].length;
        if (m[1] !== undefined) {
            out.push(h('code', {}, m[1]));
        } else if (m[2] !== undefined) {
            out.push(h('b', {}, inline(m[2])));
        } else {
            const url = href(m[4]!);
            const outside = url?.startsWith('http') ?? false;
            out.push(url ? h('a', { href: url, ...(outside ? { rel: 'noreferrer', target: '_blank' } : {}) }, inline(m[3]!)) : h('span', {}, inline(m[3]!)));
        }
    }
    out.push(text.slice(at));
    return out;
}

const LIST = /^(\s*)([-*]|\d+\.)\s+/;
const indent = (line: string): number => line.length - line.trimStart().length;

export function blocks(lines: string[]): HTMLElement[] {
    const out: HTMLElement[] = [];
    for (let i = 0; i < lines.length;) {
        const line = lines[i]!;
        const fence = /^\s*```(.*)$/.exec(line);
        const heading = /^(#{1,4})\s+(.*)$/.exec(line);
        const list = LIST.exec(line);
        if (line.trim() === '') {
            i++;
        } else if (fence) {
            const depth = indent(line);
            const code: string[] = [];
            for (i++; i < lines.length && !lines[i]!.trim().startsWith('```'); i++) {
                code.push(lines[i]!.slice(Math.min(depth, indent(lines[i]!))));
            }
            i++;
            const label = fence[1]!.trim();
            out.push(h('div.code', {}, label === '' ? null : h('span.faint.small', {}, label), h('pre', { tabindex: '0' }, code.join('\n'))));
        } else if (heading) {
            const level = heading[1]!.length;
            out.push(h(level === 1 ? 'h1' : level === 2 ? 'h2' : 'h3', {}, inline(heading[2]!)));
            i++;
        } else if (list) {
            const ordered = /\d/.test(list[2]!);
            const depth = list[1]!.length;
            const items: HTMLElement[] = [];
            while (i < lines.length) {
                const start = LIST.exec(lines[i]!);
                if (!start || start[1]!.length !== depth || /\d/.test(start[2]!) !== ordered) {
                    break;
                }
                const inner = [lines[i]!.slice(start[0].length)];
                for (i++; i < lines.length && (lines[i]!.trim() === '' || indent(lines[i]!) > depth); i++) {
                    inner.push(lines[i]!.trim() === '' ? '' : lines[i]!.slice(Math.min(indent(lines[i]!), start[0].length)));
                }
                items.push(h('li', {}, blocks(inner)));
            }
            out.push(ordered ? h('ol', {}, items) : h('ul', {}, items));
        } else if (line.trim().startsWith('|')) {
            const rows: string[][] = [];
            for (; i < lines.length && lines[i]!.trim().startsWith('|'); i++) {
                rows.push(lines[i]!.trim().replace(/^\||\|$/g, '').split('|').map((c) => c.trim()));
            }
            const body = rows.slice(1).filter((r) => !r.every((c) => /^:?-+:?$/.test(c)));
            out.push(h('div.scroll-x', { tabindex: '0' }, h('table', {}, h('thead', {}, h('tr', {}, rows[0]!.map((c) => h('th', {}, inline(c))))),
                h('tbody', {}, body.map((r) => h('tr', {}, r.map((c) => h('td', {}, inline(c)))))))));
        } else {
            const text: string[] = [];
            for (; i < lines.length && lines[i]!.trim() !== '' && !/^\s*```|^#/.test(lines[i]!) && !LIST.test(lines[i]!); i++) {
                text.push(lines[i]!.trim());
            }
            if (text.length === 0) {
                text.push(lines[i++]!.trim());
            }
            out.push(h('p', {}, inline(text.join(' '))));
        }
    }
    return out;
}

export const render = (text: string): HTMLElement[] => blocks(text.split('\n'));

/** The items of the list under a heading, each as its lead: what is asked, without the commands. */
export function leads(text: string, heading: string): string[] {
    const lines = text.split('\n');
    const from = lines.findIndex((l) => l.trim() === `## ${heading}`);
    if (from < 0) {
        return [];
    }
    const result: string[] = [];
    for (let i = from + 1; i < lines.length && !lines[i]!.startsWith('## '); i++) {
        if (/^\d+\.\s/.test(lines[i]!)) {
            const words = [lines[i]!.replace(/^\d+\.\s+/, '')];
            for (i++; i < lines.length && lines[i]!.trim() !== '' && indent(lines[i]!) > 0; i++) {
                words.push(lines[i]!.trim());
            }
            i--;
            result.push(words.join(' '));
        }
    }
    return result;
}
