// Addresses: everything that is seen is in one. Choosing adds to the history, typing replaces it.
type Listener = () => void;
const listeners: Listener[] = [];
let path = '';
let search = new URLSearchParams();

function read(): void {
    path = location.pathname;
    search = new URLSearchParams(location.search);
}
read();

export const currentPath = (): string => path;
export const param = (name: string): string | null => search.get(name);
export const params = (name: string): string[] => search.getAll(name);

export function onNavigate(listener: Listener): void {
    listeners.push(listener);
}

function go(url: string, replaceIt: boolean): void {
    if (url === location.pathname + location.search) {
        return;
    }
    history[replaceIt ? 'replaceState' : 'pushState'](null, '', url);
    read();
    listeners.forEach((l) => l());
}

export const navigate = (url: string): void => go(url, false);
export const redirect = (url: string): void => go(url, true);

export type Changes = Record<string, string | string[] | null>;

/** The current address with some parameters changed; null takes one away. */
export function withParams(changes: Changes): string {
    const next = new URLSearchParams(search);
    for (const [name, value] of Object.entries(changes)) {
        next.delete(name);
        (Array.isArray(value) ? value : value === null ? [] : [value]).forEach((v) => next.append(name, v));
    }
    const text = next.toString();
    return path + (text === '' ? '' : '?' + text);
}
export const setParams = (changes: Changes, replaceIt = false): void => go(withParams(changes), replaceIt);

addEventListener('popstate', () => {
    read();
    listeners.forEach((l) => l());
});

document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0 || event.metaKey ||
        event.ctrlKey || event.shiftKey || event.altKey || link.target !== '' || link.origin !== location.origin ||
        link.hash !== '' || link.pathname.startsWith('/assets/')) {
        return;
    }
    event.preventDefault();
    navigate(link.pathname + link.search);
});
