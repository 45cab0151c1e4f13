/* lib/detect/checkpoint_contents: what loaded records of a checkpoint say, put into the detector's series.
 * For the detector alone. */
#ifndef OBS_DETECT_CHECKPOINT_CONTENTS_H
#define OBS_DETECT_CHECKPOINT_CONTENTS_H

#include <stdbool.h>

struct detector;

/* Clocks come before seconds: a window takes only the seconds that it holds at its time. */
enum checkpoint_pass { CHECKPOINT_PASS_CLOCKS, CHECKPOINT_PASS_SECONDS };
/* All chosen records (those with a kind) in order. False: one of them is not as it was written, or no memory.
 */
bool checkpoint_read_records(struct detector *detector, enum checkpoint_pass pass);

#endif
