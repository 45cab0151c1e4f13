// The console's own addresses. An error is a sentence: the server's own words where it has some.
export class ApiError extends Error {
    constructor(message: string, readonly status: number) {
        super(message);
    }
}

async function explain(response: Response): Promise<ApiError> {
    let text = '';
    try {
        text = await response.text();
        const json = JSON.parse(text) as { error?: string; message?: string } | string;
        text = typeof json === 'string' ? json : json.error ?? json.message ?? text;
    } catch {
        // what it said wasn't JSON
    }
    return new ApiError(text.slice(0, 600) || `status ${response.status}`, response.status);
}

async function ask(url: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
        response = await fetch(url, { cache: 'no-store', credentials: 'same-origin', ...init });
    } catch (e) {
        if (e instanceof DOMException && e.name === 'AbortError') {
            throw e;
        }
        throw new ApiError('The console doesn’t answer', 0);
    }
    if (!response.ok) {
        throw await explain(response);
    }
    return response;
}

export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
    return (await ask(url, signal ? { signal } : {})).json() as Promise<T>;
}
export async function getText(url: string): Promise<string> {
    return (await ask(url, {})).text();
}
/** Changes something: the header is one that a page elsewhere can't send. */
export async function send<T>(method: string, url: string, body?: unknown): Promise<T | null> {
    const response = await ask(url, {
        method,
        headers: { 'X-Console': '1', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return text === '' ? null : (JSON.parse(text) as T);
}

export function query(parameters: Record<string, string | number | undefined | null>): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) {
        if (value !== undefined && value !== null && value !== '') {
            search.set(name, String(value));
        }
    }
    return search.toString();
}

// --- Prometheus ---

export interface Sample {
    metric: Record<string, string>;
    value: [number, string];
}
export interface Matrix {
    metric: Record<string, string>;
    values: [number, string][];
}
interface Answer<T> {
    status: string;
    data: { result: T[] };
}

/** Long queries go as a body: an address has 4 KiB. */
async function prometheus<T>(path: string, parameters: Record<string, string | number>, signal?: AbortSignal): Promise<T[]> {
    const text = query(parameters);
    const init: RequestInit = text.length < 2000 ? {} : {
        method: 'POST', body: text,
        headers: { 'X-Console': '1', 'Content-Type': 'application/x-www-form-urlencoded' },
    };
    const url = `/api/prometheus/${path}${text.length < 2000 ? '?' + text : ''}`;
    const response = await ask(url, signal ? { ...init, signal } : init);
    return ((await response.json()) as Answer<T>).data.result;
}
export const instant = (expr: string, time?: number, signal?: AbortSignal): Promise<Sample[]> =>
    prometheus<Sample>('query', time === undefined ? { query: expr } : { query: expr, time }, signal);
export const range = (expr: string, start: number, end: number, step: number, signal?: AbortSignal): Promise<Matrix[]> =>
    prometheus<Matrix>('query_range', { query: expr, start, end, step }, signal);
