// A whole local stack of this build in a temporary directory, on ports of its own, and a browser to look at it.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, existsSync, openSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const source = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const programs = process.env.OBS_BIN_DIR ?? join(source, 'build/bin');
const modules = join(source, 'apps/console/page/node_modules');
export const axeSource = readFileSync(join(modules, 'axe-core/axe.min.js'), 'utf8');
const PORTS = [3000, 8080, 8081, 8082, 8084, 9090, 9093];

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function findChromium() {
    return ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p));
}

const isFree = (port) => new Promise((done) => {
    const server = createServer().once('error', () => done(false)).once('listening', () => server.close(() => done(true))).listen(port, '127.0.0.1');
});

export const freePort = () => new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => done(port));
    });
});

/** A way to another address that can be cut. */
export function startRelay(to) {
    const { hostname, port } = new URL(to);
    const sockets = new Set();
    const server = createServer((near) => {
        const far = connect(Number(port), hostname);
        for (const [a, b] of [[near, far], [far, near]]) {
            sockets.add(a);
            a.on('error', () => b.destroy()).on('close', () => {
                sockets.delete(a);
                b.destroy();
            }).pipe(b);
        }
    });
    return new Promise((done) => server.listen(0, '127.0.0.1', () => done({
        url: `http://127.0.0.1:${server.address().port}`,
        cut: () => {
            server.close();
            sockets.forEach((s) => s.destroy());
        },
    })));
}

async function freeOffset() {
    for (;;) {
        const offset = 15000 + Math.floor(Math.random() * 7000);
        if ((await Promise.all(PORTS.map((p) => isFree(p + offset)))).every(Boolean)) {
            return offset;
        }
    }
}

export async function waitFor(what, holds, ms) {
    const end = Date.now() + ms;
    while (Date.now() < end) {
        try {
            const value = await holds();
            if (value) {
                return value;
            }
        } catch {
            // not yet
        }
        await sleep(100);
    }
    throw new Error(`after ${ms} ms still not: ${what}`);
}

function start(argv, log) {
    const out = openSync(log, 'a');
    return spawn(argv[0], argv.slice(1), { stdio: ['ignore', out, out], cwd: source });
}
const stop = (child, signal = 'SIGTERM') => new Promise((done) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) {
        done();
        return;
    }
    child.once('exit', done);
    child.kill(signal);
});

export async function startStack(more = []) {
    const directory = mkdtempSync(join(tmpdir(), 'obs-console-'));
    const offset = await freeOffset();
    const log = join(directory, 'output');
    const child = start([join(programs, 'local-stack'), `--data=${directory}/data`, `--source=${source}`, `--port-offset=${offset}`, '--stop-with-parent', '--target-rps=600', '--scrape-interval=2s', ...more], log);
    let stopping = false;
    child.once('exit', (code, signal) => stopping || console.error(`the stack ended by itself (${code ?? signal}):\n${readFileSync(log, 'utf8').slice(-3000)}`));
    const url = `http://127.0.0.1:${3000 + offset}`;
    const consoles = [];
    const port = (base) => `http://127.0.0.1:${base + offset}`;
    await waitFor('the stack is up', () => readFileSync(log, 'utf8').includes('The platform is up'), 60000).catch((e) => {
        throw new Error(`${e.message}\n${readFileSync(log, 'utf8')}`);
    });
    return {
        url, port, directory,
        /** One more console over the same platform, to stop and start; it may look at other addresses. */
        async console({ streamProcessor = port(8082), simulator = port(8081) } = {}) {
            const own = await freePort();
            const argv = [join(programs, 'console'), `--listen=127.0.0.1:${own}`, `--bus-url=embedded:${directory}/data/bus`, `--stream-processor-url=${streamProcessor}`, `--prometheus-url=${port(9090)}`,
                `--alertmanager-url=${port(9093)}`, `--simulator-url=${simulator}`, `--dashboards=${source}/dashboards`, `--runbooks=${source}/runbooks`];
            let process_ = null;
            const self = {
                url: `http://127.0.0.1:${own}`,
                async start() {
                    process_ = start(argv, join(directory, 'console.log'));
                    await waitFor('the console is ready', async () => (await fetch(`${self.url}/readyz`)).ok, 10000);
                },
                kill: () => stop(process_, 'SIGKILL'),
            };
            consoles.push(self);
            await self.start();
            return self;
        },
        async stop() {
            stopping = true;
            await Promise.all(consoles.map((c) => c.kill())); // a test that failed has left its own
            await stop(child);
            rmSync(directory, { recursive: true, force: true });
        },
        log: () => readFileSync(log, 'utf8'),
    };
}

export async function openBrowser() {
    const { chromium } = await import(pathToFileURL(join(modules, 'playwright-core/index.mjs')).href);
    return chromium.launch({ executablePath: findChromium(), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

/** A page that keeps what it complains of. */
export async function openPage(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', ...options });
    const page = await context.newPage();
    page.complaints = [];
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && page.complaints.push(`${m.type()}: ${m.text()} (${m.location().url})`));
    page.on('pageerror', (e) => page.complaints.push(`exception: ${e.stack ?? e.message}`));
    await page.goto(url);
    return page;
}
