/* Disk of a PostgreSQL server whose power can be cut. Loaded into the server's processes, it copies what they sync, and only
   that, from the folder POWER_DATA to the folder POWER_DISK. Names are taken to be on disk at once. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

static const char *data, *disk;

/* The values are copied, since the server writes its title over its environment. */
__attribute__((constructor)) static void begin(void) {
    const char *from = getenv("POWER_DATA"), *to = getenv("POWER_DISK");
    data = from ? strdup(from) : NULL;
    disk = to ? strdup(to) : NULL;
}

/* Finds where a file of the data folder is on the disk; 0: it is none. The server works in its data folder. */
static int on_disk(const char *path, char *found) {
    if (!data || !disk) return 0;
    size_t length = strlen(data);
    if (path[0] != '/') {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here) || strcmp(here, data) != 0) return 0;
        return snprintf(found, PATH_MAX, "%s/%s", disk, path) < PATH_MAX;
    }
    if (strncmp(path, data, length) != 0 || path[length] != '/') return 0;
    return snprintf(found, PATH_MAX, "%s%s", disk, path + length) < PATH_MAX;
}

static void make_folders(char *path) {
    for (char *at = path + strlen(disk) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
}

static void fail(const char *path) {
    fprintf(stderr, "the disk cannot keep %s: %s\n", path, strerror(errno));
    abort();
}

/* Copies a file to the disk, where it is locked: two processes may sync it at once. */
static void keep(int fd) {
    char name[64], path[PATH_MAX], kept[PATH_MAX];
    static __thread char now[CHUNK], before[CHUNK];
    struct stat file;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_nlink == 0) return;
    if (!on_disk(path, kept)) return;
    make_folders(kept);
    int from = open(name, O_RDONLY | O_CLOEXEC), to = open(kept, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || to < 0 || flock(to, LOCK_EX) != 0) fail(kept);
    off_t at = 0;
    for (ssize_t read; (read = pread(from, now, CHUNK, at)) > 0; at += read) {
        ssize_t there = pread(to, before, read, at);
        if (there == read && memcmp(now, before, read) == 0) continue;
        if (pwrite(to, now, read, at) != read) fail(kept);
    }
    if (ftruncate(to, at) != 0) fail(kept);
    close(from);
    close(to);
}

int fsync(int fd) {
    int error = errno;
    keep(fd);
    errno = error;
    return 0;
}

int fdatasync(int fd) { return fsync(fd); }

/* Does to a name on the disk what was done to it in the data folder. */
#define OF_ONE(call)                                                  \
    int call(const char *path) {                                      \
        int (*real)(const char *) = dlsym(RTLD_NEXT, #call);          \
        char kept[PATH_MAX];                                          \
        int done = real(path), error = errno;                         \
        if (done == 0 && on_disk(path, kept)) real(kept);             \
        errno = error;                                                \
        return done;                                                  \
    }

#define OF_TWO(call)                                                  \
    int call(const char *old, const char *new) {                      \
        int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, #call); \
        char kept[PATH_MAX], renamed[PATH_MAX];                       \
        int done = real(old, new), error = errno;                     \
        if (done == 0 && on_disk(old, kept) && on_disk(new, renamed)) \
            real(kept, renamed);                                      \
        errno = error;                                                \
        return done;                                                  \
    }

OF_ONE(unlink)
OF_ONE(rmdir)
OF_TWO(rename)
OF_TWO(link)
