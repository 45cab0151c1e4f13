/* What the stream-processors are asked on the page's behalf. A series lives in one of them: each is asked in
 * turn until one knows it; what fires is gathered from all. Any thread; a call waits for them. */
#ifndef CONSOLE_PROCESSORS_H
#define CONSOLE_PROCESSORS_H

struct guard;
struct processor_set;
struct program;

/* GET /api/firing, /api/series, /api/history, /api/transition/FINGERPRINT/SEQUENCE */
void processors_add_routes(struct processor_set *processors, struct guard *guard, struct program *program);

#endif
