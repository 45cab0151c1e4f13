/* lib/worker/group_worker_commit: what a group's worker commits, and when: of one partition what it put and
 * its position are always of one commit. */
#ifndef OBS_WORKER_GROUP_WORKER_COMMIT_H
#define OBS_WORKER_GROUP_WORKER_COMMIT_H

#include "error/error.h"

struct group_worker;

/* Each: 0, also where the bus refused it and the work begins again from what is committed; otherwise the
 * worker must end, error says why. While the bus has no room they try again, until a stop is asked for. */
int group_worker_commit_all(struct group_worker *worker, struct error *error);
int group_worker_commit_early(struct group_worker *worker, struct error *error); /* when hurried */
int group_worker_commit_share(struct group_worker *worker, struct error *error); /* when it is time */

#endif
