// A tile's picture: requests of five minutes with the failed share red at the foot, or the P99 against its limit.
import type { Values } from './live.ts';
import { color } from './plot.ts';

function fit(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
    const dpr = devicePixelRatio;
    const width = Math.round(canvas.clientWidth * dpr);
    const height = Math.round(canvas.clientHeight * dpr);
    if (width === 0 || height === 0) {
        return null;
    }
    if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
    }
    const ctx = canvas.getContext('2d')!;
    ctx.clearRect(0, 0, width, height);
    return ctx;
}

export function drawBars(canvas: HTMLCanvasElement, bars: (Values | null)[]): void {
    const ctx = fit(canvas);
    if (!ctx) {
        return;
    }
    const { width, height } = canvas;
    const most = Math.max(1e-9, ...bars.map((b) => b?.rate ?? 0)) * 1.05;
    const pitch = width / bars.length;
    const bar = Math.max(1, Math.round(pitch - 0.8 * devicePixelRatio));
    const grey = color('--spark');
    const red = color('--critical');
    bars.forEach((b, i) => {
        if (!b || b.rate === null) {
            return;
        }
        const x = Math.round(i * pitch);
        const full = Math.max(b.rate > 0 ? 1 : 0, Math.round((b.rate / most) * height));
        const failed = b.errors ? Math.round(full * b.errors) : 0;
        const foot = b.errors && b.errors > 0.02 ? Math.max(failed, Math.round(2 * devicePixelRatio)) : 0;
        ctx.fillStyle = grey;
        ctx.fillRect(x, height - full, bar, full);
        if (foot > 0) {
            ctx.fillStyle = red;
            ctx.fillRect(x, height - foot, bar, foot);
        }
    });
}

export function drawLatency(canvas: HTMLCanvasElement, bars: (Values | null)[], limit: number, isOver: boolean): void {
    const ctx = fit(canvas);
    if (!ctx) {
        return;
    }
    const { width, height } = canvas;
    const most = Math.max(limit * 1.2, ...bars.map((b) => b?.p99 ?? 0)) * 1.05;
    const y = (v: number): number => height - (v / most) * height;
    ctx.lineWidth = devicePixelRatio;
    ctx.strokeStyle = color(isOver ? '--critical' : '--warning-mark');
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(0, y(limit));
    ctx.lineTo(width, y(limit));
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.strokeStyle = color('--text');
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    let down = false;
    bars.forEach((b, i) => {
        if (!b || b.p99 === null) {
            down = false;
            return;
        }
        const x = ((i + 0.5) / bars.length) * width;
        if (down) {
            ctx.lineTo(x, y(b.p99));
        } else {
            ctx.moveTo(x, y(b.p99));
        }
        down = true;
    });
    ctx.stroke();
}
