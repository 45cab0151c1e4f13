/* What must hold before anything is started: one stack a data directory, packages installed, ports free. */
#ifndef OBS_LOCAL_STACK_REQUIREMENTS_H
#define OBS_LOCAL_STACK_REQUIREMENTS_H

#include "error/error.h"

#include <stddef.h>

struct options;
struct plan;

/* Creates the data directory and its folders. */
int requirements_make_folders(const struct options *options, struct error *error);
/* The lock, held until the process ends: *fd. Refused: who runs here already. */
int requirements_lock(const struct options *options, int *fd, struct error *error);
/* Are all programs there, and the files they read? */
int requirements_check_programs(const struct options *options, const struct plan *plan, struct error *error);
/* Is every port free? Waits up to 3 s for those of a stack that was killed just now. */
int requirements_check_ports(const struct plan *plan, struct error *error);

#endif
