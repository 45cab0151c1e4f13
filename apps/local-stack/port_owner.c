#include "port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool port_is_taken(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    /* As our servers do: connections that are only dying out don't count. */
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const bool taken = bind(fd, (const struct sockaddr *)&address, sizeof address) != 0;
    (void)close(fd);
    return taken;
}

/* The inode of the socket that listens on port, by /proc/net/tcp or tcp6; 0: none. A line is
 *   "0: 0100007F:1F90 00000000:0000 0A …:… …:… … uid timeout inode …", 0A being LISTEN. */
static unsigned long find_socket(const char *table, uint16_t port)
{
    unsigned long found = 0;
    char line[512];
    FILE *file = fopen(table, "re");
    if (file == NULL) {
        return 0;
    }
    while (found == 0 && fgets(line, sizeof line, file) != NULL) {
        char *rest = NULL;
        const char *field[10] = {0};
        size_t count = 0;
        for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < 10;
             word = strtok_r(NULL, " \n", &rest)) {
            field[count++] = word;
        }
        const char *colon = count == 10 ? strrchr(field[1], ':') : NULL;
        if (colon != NULL && strtoul(colon + 1, NULL, 16) == port && strcmp(field[3], "0A") == 0) {
            found = strtoul(field[9], NULL, 10);
        }
    }
    (void)fclose(file);
    return found;
}

static bool process_holds(const char *pid, const char *socket_name)
{
    char path[300];
    char target[64];
    (void)snprintf(path, sizeof path, "/proc/%.32s/fd", pid);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    bool found = false;
    for (struct dirent *entry = readdir(directory); entry != NULL && !found; entry = readdir(directory)) {
        const ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            found = strcmp(target, socket_name) == 0;
        }
    }
    (void)closedir(directory);
    return found;
}

/* The command's own name: /proc/PID/comm cuts it to 15 characters. */
static void read_name(const char *pid, char name[64])
{
    char path[64];
    char command[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%.32s/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        /* NUL-ended arguments: the first is the command */
        const size_t size = fread(command, 1, sizeof command - 1, file);
        command[size] = '\0';
        (void)fclose(file);
    }
    command[strcspn(command, " ")] = '\0'; /* "nginx: master process" */
    const char *slash = strrchr(command, '/');
    (void)snprintf(name, 64, "%.63s", slash != NULL ? slash + 1 : command);
}

void port_describe_owner(uint16_t port, char *text, size_t text_bytes)
{
    char socket_name[64];
    char name[64];
    unsigned long inode = find_socket("/proc/net/tcp", port);
    if (inode == 0) {
        inode = find_socket("/proc/net/tcp6", port);
    }
    (void)snprintf(text, text_bytes, "another program");
    (void)snprintf(socket_name, sizeof socket_name, "socket:[%lu]", inode);
    DIR *processes = inode != 0 ? opendir("/proc") : NULL;
    if (processes == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        if (isdigit((unsigned char)entry->d_name[0]) != 0 && process_holds(entry->d_name, socket_name)) {
            read_name(entry->d_name, name);
            (void)snprintf(text, text_bytes, "%s (process %.32s)", name[0] != '\0' ? name : "?",
                           entry->d_name);
            break;
        }
    }
    (void)closedir(processes);
}
