// The simulator's faults, with the truth of when each began and ended.
import { ApiError, get, send } from './api.ts';

export interface Fault {
    id: string | number;
    type: string;
    service?: string;
    region?: string;
    magnitude?: number;
    state: 'scheduled' | 'active' | 'ended' | 'cancelled';
    begin: string;
    end?: string;
}
export const faults = { list: [] as Fault[], problem: '', loaded: false };

export async function readFaults(): Promise<void> {
    try {
        faults.list = (await get<{ faults: Fault[] }>('/api/simulator/faults')).faults;
        faults.problem = '';
    } catch (e) {
        faults.problem = e instanceof ApiError && (e.status === 503 || e.status === 502) ? 'No simulator on this platform' : String((e as Error).message);
    }
    faults.loaded = true;
}
export async function startFault(fault: { type: string; service?: string; region?: string; magnitude?: number; duration: string }): Promise<Fault> {
    const made = (await send<Fault>('POST', '/api/simulator/faults', fault))!;
    await readFaults();
    return made;
}
export async function endFault(id: string | number): Promise<void> {
    await send('DELETE', `/api/simulator/faults/${id}`);
    await readFaults();
}
