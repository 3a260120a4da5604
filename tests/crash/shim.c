/*
 * Preloaded into a child: logs what the process does to data.mdb (writes and syncs) and the marks that it sends outside
 * (acknowledgements and effects), in one order; and kills the process at the n-th step of a kind.
 *
 * GREENROOM_CRASH_LOG    file for the log; none without it
 * GREENROOM_CRASH_MARKS  descriptors whose writes are marks, separated by commas
 * GREENROOM_CRASH_KILL   step:n; steps: pages (before a write of pages), sync (before a sync), meta (before the write of
 *                        the meta page), done (after it)
 *
 * A record: kind (1 byte: W write, D write that is durable when it returns, S sync, M mark, U removal of the file
 * "creating", F sync of a directory), length (4), offset (8), all little endian, then the bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <stdio.h>

static int log_fd = -1, marks[4], n_marks;
static char kill_step[16];
static long kill_at = -1, kill_seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("GREENROOM_CRASH_LOG"), *fds = getenv("GREENROOM_CRASH_MARKS");
    const char *step = getenv("GREENROOM_CRASH_KILL");
    if (log)
        log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (fds && *fds && n_marks < 4) {
        char *end;
        marks[n_marks++] = (int)strtol(fds, &end, 10);
        fds = *end == ',' ? end + 1 : end;
    }
    if (step && strchr(step, ':')) {
        size_t n = (size_t)(strchr(step, ':') - step);
        if (n < sizeof kill_step) {
            memcpy(kill_step, step, n);
            kill_at = atol(step + n + 1);
        }
    }
}

static void reach(const char *step)
{
    if (kill_at > 0 && !strcmp(step, kill_step) && __atomic_add_fetch(&kill_seen, 1, __ATOMIC_SEQ_CST) == kill_at)
        kill(getpid(), SIGKILL);
}

static int is_mark(int fd)
{
    for (int i = 0; i < n_marks; i++)
        if (marks[i] == fd)
            return 1;
    return 0;
}

static int is_data(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    return n >= 9 && !memcmp(path + n - 9, "/data.mdb", 9);
}

static void record(char kind, uint64_t offset, const struct iovec *parts, int count)
{
    if (log_fd < 0)
        return;
    unsigned char head[13] = {(unsigned char)kind};
    uint32_t length = 0;
    struct iovec all[65];
    if (count > 64)
        abort();
    for (int i = 0; i < count; i++) {
        all[i + 1] = parts[i];
        length += parts[i].iov_len;
    }
    memcpy(head + 1, &length, 4);
    memcpy(head + 5, &offset, 8);
    all[0].iov_base = head;
    all[0].iov_len = sizeof head;
    pthread_mutex_lock(&lock);
    if (syscall(SYS_writev, log_fd, all, count + 1) != (long)(sizeof head + length))
        abort();
    pthread_mutex_unlock(&lock);
}

/* A write to the data file: to the descriptor that syncs by itself it is the meta page. */
static ssize_t to_data(int fd, const struct iovec *parts, int count, off_t offset, int at_position)
{
    int durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    /* Without syncing, the meta page goes through the same descriptor as the pages, and is known by its place. */
    int is_meta = durable || (count == 1 && parts[0].iov_len < 4096);
    reach(is_meta ? "meta" : "pages");
    if (!durable)
        record('W', (uint64_t)offset, parts, count);
    ssize_t n = at_position ? syscall(SYS_pwritev, fd, parts, count, offset, 0) : syscall(SYS_writev, fd, parts, count);
    if (durable)
        record('D', (uint64_t)offset, parts, count);
    if (is_meta)
        reach("done");
    return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    struct iovec part = {(void *)bytes, length};
    if (is_data(fd))
        return to_data(fd, &part, 1, offset, 1);
    return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (is_data(fd))
        return to_data(fd, parts, count, lseek(fd, 0, SEEK_CUR), 0);
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (is_data(fd))
        return to_data(fd, parts, count, offset, 1);
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(fd, parts, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    struct iovec part = {(void *)bytes, length};
    if (is_mark(fd))
        record('M', 0, &part, 1);
    else if (is_data(fd))
        return to_data(fd, &part, 1, lseek(fd, 0, SEEK_CUR), 0);
    return syscall(SYS_write, fd, bytes, length);
}

static int synced(int fd, int number)
{
    if (!is_data(fd)) {
        int result = (int)syscall(number, fd);
        record('F', 0, 0, 0);
        return result;
    }
    reach("sync");
    int result = (int)syscall(number, fd);
    record('S', 0, 0, 0);
    return result;
}

int unlink(const char *path)
{
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    size_t n = strlen(path);
    if (!result && n >= 9 && !memcmp(path + n - 9, "/creating", 9))
        record('U', 0, 0, 0);
    return result;
}

int fdatasync(int fd)
{
    return synced(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return synced(fd, SYS_fsync);
}
