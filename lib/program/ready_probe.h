/* lib/program/ready_probe: asks a program that runs on this machine whether it is ready (--ready): the health
 * check of containers whose images have neither a shell nor an HTTP client. By a plain socket, as the HTTP
 * client would bring libcurl into every image. Internal to lib/program. */
#ifndef OBS_PROGRAM_READY_PROBE_H
#define OBS_PROGRAM_READY_PROBE_H

#include "error/error.h"

#include <stdint.h>

/* GET /readyz at the address, numeric as in --listen; that of all interfaces stands for loopback. 0: ready;
 * -1: not, or no answer within 5 s: error says why. */
int ready_probe(const char *address, uint16_t port, struct error *error);

#endif
