// How likely chance alone makes so many bad of n, at the limit p: the binomial tail that the detector compares with.
function logChoose(n: number, k: number): number {
    let sum = 0;
    for (let i = 1; i <= k; i++) {
        sum += Math.log((n - k + i) / i);
    }
    return sum;
}

export function tail(n: number, bad: number, p: number): number {
    if (!(n > 0) || bad <= 0 || p <= 0 || p >= 1) {
        return 1;
    }
    let term = Math.exp(logChoose(n, bad) + bad * Math.log(p) + (n - bad) * Math.log1p(-p));
    let sum = 0;
    for (let k = bad; k <= n && term > sum * 1e-12; k++) {
        sum += term;
        term *= ((n - k) / (k + 1)) * (p / (1 - p));
    }
    return Math.min(1, sum);
}

/** "less than once in a billion tries", "about once in 4,000 tries". */
export function inWords(chance: number): string {
    if (chance < 1e-9) {
        return 'less than once in a billion tries';
    }
    const tries = 1 / chance;
    const scale = 10 ** Math.max(0, Math.floor(Math.log10(tries)) - 1);
    return `about once in ${(Math.round(tries / scale) * scale).toLocaleString('en-US')} tries`;
}

/** The share below which so many or more are due to chance: "> 99.99 %". */
export function confidence(chance: number): string {
    const c = (1 - chance) * 100;
    return c > 99.99 ? '> 99.99 %' : `${c.toFixed(c > 99 ? 2 : 1)} %`;
}

/** Of a static rule: the share of bad records it compares with. */
export function badShare(signal: string, threshold: number): number {
    return signal === 'error_rate' ? threshold : signal.startsWith('latency_p') ? 1 - Number(signal.slice(9)) / 100 : NaN;
}
