/* lib/http/http_reply: a response handed to libmicrohttpd. Internal to lib/http. */
#ifndef OBS_HTTP_HTTP_REPLY_H
#define OBS_HTTP_HTTP_REPLY_H

#include <stdbool.h>

struct MHD_Connection;
struct http_response;

/* Takes over the response's body and stream. False: the connection should be closed. */
bool http_reply_queue(struct MHD_Connection *connection, struct http_response *response);

#endif
