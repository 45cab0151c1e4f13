/* tests/support/production_alertmanager: config/alertmanager.production.yml itself, its secrets pointing to
 * one sink on this machine: /slack, /platform, /pagerduty, /watchdog and /second-way are what Slack,
 * PagerDuty and the others would get. */
#ifndef OBS_TESTS_SUPPORT_PRODUCTION_ALERTMANAGER_H
#define OBS_TESTS_SUPPORT_PRODUCTION_ALERTMANAGER_H

#include <stdint.h>

struct alertmanager_server;
struct buffer;

/* The configuration, in an empty buffer; directory gets a folder with the secrets. */
void production_alertmanager_text(const char *directory, uint16_t sink_port, struct buffer *out);

/* As alertmanager_server_create; directory holds the secrets, too. */
void production_alertmanager_create(struct alertmanager_server *server, const char *directory,
                                    uint16_t sink_port);

#endif
