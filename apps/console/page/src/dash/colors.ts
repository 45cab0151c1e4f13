// Which series has which of the six colours. A name keeps its colour for the page's life, on every panel; within a panel no two are alike, and what stays on a panel
// keeps what it has there. With more names than colours both can't always hold: then the name that came later borrows a free colour, on that panel only.
export const COLORS = 6;

export class Palette {
    private readonly homes = new Map<string, number>(); // a name's colour, 0 to 5

    /** The colours of at most six names that are drawn together; before: what that panel gave them last time. */
    assign(names: string[], before: ReadonlyMap<string, number> = new Map()): Map<string, number> {
        const sorted = [...new Set(names)].sort();
        if (sorted.length > COLORS) {
            throw new RangeError(`${sorted.length} names for ${COLORS} colours`);
        }
        const given = new Map<string, number>();
        const taken = new Set<number>();
        const take = (name: string, color: number | undefined): void => {
            if (color !== undefined && !given.has(name) && !taken.has(color)) {
                given.set(name, color);
                taken.add(color);
            }
        };
        const lowest = (): number => [...Array(COLORS).keys()].find((c) => !taken.has(c))!;
        sorted.forEach((n) => take(n, before.get(n)));
        [...this.homes.keys()].filter((n) => sorted.includes(n)).forEach((n) => take(n, this.homes.get(n))); // the oldest first
        for (const name of sorted) {
            if (!given.has(name)) {
                take(name, lowest());
            }
            if (!this.homes.has(name)) {
                this.homes.set(name, given.get(name)!);
            }
        }
        return given;
    }
}

/** The six largest by name; those that were among them stay until another is a tenth larger, so that near equals don't change places at each refresh. */
export function largest(list: { name: string; size: number }[], before: ReadonlySet<string> = new Set()): Set<string> {
    const rank = (x: { name: string; size: number }): number => x.size * (before.has(x.name) ? 1.1 : 1);
    const ranked = [...list].sort((a, b) => rank(b) - rank(a) || a.name.localeCompare(b.name));
    return new Set(ranked.slice(0, COLORS).map((x) => x.name));
}
