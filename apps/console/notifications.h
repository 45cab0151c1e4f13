/* POST /api/notifications: Alertmanager's webhook of the local stack. What arrives is shown with the time at
 * which it did. */
#ifndef CONSOLE_NOTIFICATIONS_H
#define CONSOLE_NOTIFICATIONS_H

struct http_request;
struct http_response;

/* An http_handler; context: struct live. */
void notifications_take(void *context, const struct http_request *request, struct http_response *response);

#endif
