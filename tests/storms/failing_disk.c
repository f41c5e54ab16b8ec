/* A disk that fails below a program: LD_PRELOAD this, and calls that change files are counted and refused.
 *
 * Environment, read when the process starts and again by failing_disk_arm():
 *   FAIL_UNDER    absolute folder; calls on paths elsewhere pass untouched
 *   FAIL_PATHS    patterns of fnmatch(3) against the path below that folder, separated by |
 *   FAIL_KINDS    of open, write, sync, rename, mkdir, truncate, unlink, separated by commas; empty: all
 *   FAIL_AT       the n-th such call fails, counted from 1; 0: none does, calls are only counted
 *   FAIL_ERRNO    the number it fails with, or 0: the process is killed (SIGKILL) before it; with ENOSPC the first write is cut in half, as a full disk does
 *   FAIL_ONCE     1: that call alone; else every one from then on
 *   FAIL_LOCKS    0, or the number with which every lock of an open file description below that folder fails, asked for or
 *                 taken, as where a file system knows none; it counts as no call
 *   FAIL_TOLD     file to which, the process's number appended, it is told at the end what was seen, refused, and first
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char under[PATH_MAX], paths[1024], kinds[128], first[PATH_MAX + 32];
static long at;
static int number, once, locks;
static atomic_long seen, refused;

static void take(char *to, size_t size, const char *name) {
    const char *value = getenv(name);
    snprintf(to, size, "%s", value ? value : "");
}

__attribute__((constructor)) void failing_disk_arm(void) {
    char text[32];
    take(under, sizeof under, "FAIL_UNDER");
    take(paths, sizeof paths, "FAIL_PATHS");
    take(kinds, sizeof kinds, "FAIL_KINDS");
    take(text, sizeof text, "FAIL_AT");
    at = atol(text);
    take(text, sizeof text, "FAIL_ERRNO");
    number = atoi(text);
    take(text, sizeof text, "FAIL_ONCE");
    once = atoi(text);
    take(text, sizeof text, "FAIL_LOCKS");
    locks = atoi(text);
    first[0] = 0;
    atomic_store(&seen, 0);
    atomic_store(&refused, 0);
}

long failing_disk_seen(void) { return atomic_load(&seen); }
long failing_disk_refused(void) { return atomic_load(&refused); }
const char *failing_disk_first(void) { return first; }

__attribute__((destructor)) static void tell(void) {
    char name[PATH_MAX], text[PATH_MAX + 128];
    const char *told = getenv("FAIL_TOLD");
    if (!told || !*told) return;
    snprintf(name, sizeof name, "%s.%d", told, (int)getpid());
    int length = snprintf(text, sizeof text, "%ld %ld %s\n", atomic_load(&seen), atomic_load(&refused), first);
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0) return;
    if (write(file, text, length) < 0) unlink(name);
    close(file);
}

static int listed(const char *list, const char *word) {
    char copy[128], *rest = copy, *one;
    if (!*list) return 1;
    snprintf(copy, sizeof copy, "%s", list);
    while ((one = strsep(&rest, ",")))
        if (!strcmp(one, word)) return 1;
    return 0;
}

static int matches(const char *below) {
    char copy[1024], *rest = copy, *one;
    snprintf(copy, sizeof copy, "%s", paths);
    while ((one = strsep(&rest, "|")))
        if (!fnmatch(one, below, 0)) return 1;
    return 0;
}

/* 0: let it pass. 1: refuse it. 2: the first refusal. */
static int strikes(const char *kind, const char *path) {
    size_t length = strlen(under);
    if (!length || strncmp(path, under, length) || path[length] != '/') return 0;
    if (!listed(kinds, kind) || !matches(path + length + 1)) return 0;
    long n = atomic_fetch_add(&seen, 1) + 1;
    if (!at || n < at || (once && n > at)) return 0;
    if (!number) kill(getpid(), SIGKILL);
    atomic_fetch_add(&refused, 1);
    if (n == at) snprintf(first, sizeof first, "%s %s", kind, path + length + 1);
    return n == at ? 2 : 1;
}

static int by_name(const char *kind, int folder, const char *path) {
    char whole[2 * PATH_MAX], link[64];
    ssize_t length = 0;
    if (path[0] == '/') return strikes(kind, path);
    if (folder == AT_FDCWD) {
        if (!getcwd(whole, PATH_MAX)) return 0;
        length = strlen(whole);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        if ((length = readlink(link, whole, PATH_MAX - 1)) < 0) return 0;
    }
    snprintf(whole + length, PATH_MAX, "/%s", path);
    return strikes(kind, whole);
}

static int by_number(const char *kind, int file) {
    char path[PATH_MAX], link[64];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return strikes(kind, path);
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define REFUSE(condition) if (condition) { errno = number; return -1; }
#define CHANGES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...) {                        \
        REAL(name);                                                     \
        va_list more;                                                   \
        va_start(more, flags);                                          \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                   \
        REFUSE(flags & CHANGES && by_name("open", AT_FDCWD, path));     \
        return real(path, flags, mode);                                 \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                    \
    int name(int folder, const char *path, int flags, ...) {            \
        REAL(name);                                                     \
        va_list more;                                                   \
        va_start(more, flags);                                          \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                   \
        REFUSE(flags & CHANGES && by_name("open", folder, path));       \
        return real(folder, path, flags, mode);                         \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int file, const void *data, size_t size) {
    REAL(write);
    int struck = by_number("write", file);
    if (struck == 2 && number == ENOSPC && !once && size > 1) return real(file, data, size / 2);
    REFUSE(struck);
    return real(file, data, size);
}

#define PWRITE(name, offset_t)                                                                \
    ssize_t name(int file, const void *data, size_t size, offset_t place) {                   \
        REAL(name);                                                                           \
        int struck = by_number("write", file);                                                \
        if (struck == 2 && number == ENOSPC && !once && size > 1) return real(file, data, size / 2, place); \
        REFUSE(struck);                                                                       \
        return real(file, data, size, place);                                                 \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    REFUSE(by_number("write", file));
    return real(file, parts, count);
}

#define PWRITEV(name, offset_t)                                                               \
    ssize_t name(int file, const struct iovec *parts, int count, offset_t place) {            \
        REAL(name);                                                                           \
        REFUSE(by_number("write", file));                                                     \
        return real(file, parts, count, place);                                               \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define OF_FILE(name, kind)                                                                   \
    int name(int file) {                                                                      \
        REAL(name);                                                                           \
        REFUSE(by_number(kind, file));                                                        \
        return real(file);                                                                    \
    }
OF_FILE(fsync, "sync")
OF_FILE(fdatasync, "sync")
OF_FILE(syncfs, "sync")

#define FTRUNCATE(name, offset_t)                                                             \
    int name(int file, offset_t size) {                                                       \
        REAL(name);                                                                           \
        REFUSE(by_number("truncate", file));                                                  \
        return real(file, size);                                                              \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define ALLOCATE(name, offset_t)                                                              \
    int name(int file, offset_t place, offset_t size) {                                       \
        REAL(name);                                                                           \
        if (by_number("truncate", file)) return number;                                       \
        return real(file, place, size);                                                       \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(rename);
    REFUSE(by_name("rename", AT_FDCWD, to));
    return real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(renameat);
    REFUSE(by_name("rename", to_folder, to));
    return real(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags) {
    REAL(renameat2);
    REFUSE(by_name("rename", to_folder, to));
    return real(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to) {
    REAL(link);
    REFUSE(by_name("rename", AT_FDCWD, to));
    return real(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REAL(linkat);
    REFUSE(by_name("rename", to_folder, to));
    return real(from_folder, from, to_folder, to, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    REFUSE(by_name("mkdir", AT_FDCWD, path));
    return real(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(mkdirat);
    REFUSE(by_name("mkdir", folder, path));
    return real(folder, path, mode);
}

int unlink(const char *path) {
    REAL(unlink);
    REFUSE(by_name("unlink", AT_FDCWD, path));
    return real(path);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    REFUSE(by_name("unlink", folder, path));
    return real(folder, path, flags);
}

int rmdir(const char *path) {
    REAL(rmdir);
    REFUSE(by_name("unlink", AT_FDCWD, path));
    return real(path);
}

static int lies_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    return length > 0 && *under && (size_t)length > strlen(under) && !strncmp(path, under, strlen(under));
}

#define FCNTL(name)                                                                               \
    int name(int file, int command, ...) {                                                        \
        REAL(name);                                                                               \
        va_list more;                                                                             \
        va_start(more, command);                                                                  \
        void *argument = va_arg(more, void *);                                                    \
        va_end(more);                                                                             \
        if (locks && (command == F_OFD_SETLK || command == F_OFD_GETLK) && lies_below(file)) {    \
            errno = locks;                                                                        \
            return -1;                                                                            \
        }                                                                                         \
        return real(file, command, argument);                                                     \
    }
FCNTL(fcntl)
FCNTL(fcntl64)
