#include "http/host_name.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST_BYTES 256

bool host_address_is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1) {
        return (ntohl(four.s_addr) >> 24) == 127;
    }
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* The part before the port, without brackets. False: not of the form. */
static bool split_host(char out[HOST_BYTES], const char *host)
{
    bool bracketed = host[0] == '[';
    const char *begin = bracketed ? host + 1 : host;
    size_t length = strcspn(begin, bracketed ? "]" : ":");
    if (length == 0 || length >= HOST_BYTES || (bracketed && begin[length] != ']')) {
        return false;
    }
    (void)snprintf(out, HOST_BYTES, "%.*s", (int)length, begin);
    const char *port = begin + length + (bracketed ? 1 : 0);
    return *port == '\0' || (*port == ':' && port[1 + strspn(port + 1, "0123456789")] == '\0');
}

bool host_name_is_valid(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
    char name[HOST_BYTES];
    return split_host(name, host) && name[strspn(name, allowed)] == '\0';
}

bool host_name_is_loopback(const char *host)
{
    static const char suffix[] = ".localhost";
    char name[HOST_BYTES];
    if (!split_host(name, host)) {
        return false;
    }
    size_t length = strlen(name);
    return strcasecmp(name, "localhost") == 0 || host_address_is_loopback(name) ||
           (length > sizeof suffix && strcasecmp(name + length - (sizeof suffix - 1), suffix) == 0);
}
