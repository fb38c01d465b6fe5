//
// CSys.c: see CSys.h.
//

#define _GNU_SOURCE
#include "CSys.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

int csys_eventfd_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void csys_eventfd_signal(int descriptor) {
    // Keeps errno: this runs in signal handlers. A full counter (EAGAIN) is already readable, so that is no failure.
    int saved = errno;
    uint64_t one = 1;
    while (write(descriptor, &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = saved;
}

void csys_eventfd_drain(int descriptor) {
    uint64_t count;
    while (read(descriptor, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

int csys_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }

int csys_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

void csys_name_thread(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

void csys_malloc_trim(void) { malloc_trim(0); }

int csys_file_system_type(const char *path, int64_t *type) {
    struct statfs found;
    if (statfs(path, &found) != 0) {
        return errno;
    }
    *type = (int64_t)found.f_type;
    return 0;
}

int csys_lock_exclusively(int descriptor) {
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

int csys_synchronize_file_system(int descriptor) { return syncfs(descriptor) == 0 ? 0 : errno; }

// What follows up to csys_spawn runs in a forked child of a process with many threads: system calls only, no
// allocation, no lock. The identity is set by raw calls, since glibc's setuid walks the list of threads.

static int take_identity(const struct csys_identity *identity) {
    if (!identity->changes) {
        return 0;
    }
    if (syscall(SYS_setgroups, identity->group_count, identity->groups) != 0 ||
        syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) != 0 ||
        syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid) != 0) {
        return errno;
    }
    return 0;
}

static void close_from(int first) {
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
        return;
    }
    // Kernels before 5.9.
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
    for (int descriptor = first; descriptor < end; descriptor++) {
        close(descriptor);
    }
}

static int prepare_child(const struct csys_spawn_request *request, int channel, pid_t parent) {
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        // SIGKILL, SIGSTOP and glibc's own refuse, as they should.
        (void)sigaction(number, &action, NULL);
    }
    if (request->own_process_group && setpgid(0, 0) != 0) {
        return errno;
    }
    const int wanted[3] = {request->standard_input, request->standard_output, request->standard_error};
    int moved[3];
    // First out of the way of 0 to 2, then into place, so that none overwrites another.
    for (int target = 0; target < 3; target++) {
        int source = wanted[target] >= 0 ? wanted[target] : open("/dev/null", O_RDWR);
        if (source < 0) {
            return errno;
        }
        moved[target] = fcntl(source, F_DUPFD, channel + 1);
        if (moved[target] < 0) {
            return errno;
        }
    }
    for (int target = 0; target < 3; target++) {
        if (dup2(moved[target], target) < 0) {
            return errno;
        }
    }
    int failure = take_identity(&request->identity);
    if (failure != 0) {
        return failure;
    }
    // After the change of user, which clears it.
    if (request->parent_death_signal != 0) {
        if (prctl(PR_SET_PDEATHSIG, request->parent_death_signal) != 0) {
            return errno;
        }
        // The parent may have ended before the signal was asked for.
        if (getppid() != parent) {
            return ESRCH;
        }
    }
    if (request->working_directory != NULL && chdir(request->working_directory) != 0) {
        return errno;
    }
    return 0;
}

int csys_spawn(const struct csys_spawn_request *request, pid_t *pid) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return errno;
    }
    // No handler of this process may run in the child.
    sigset_t all, before, none;
    sigfillset(&all);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        // Out of the way of 0 to 2, which a parent without standard descriptors leaves to the pipe.
        int channel = fcntl(report[1], F_DUPFD_CLOEXEC, 4);
        int failure = channel < 0 ? errno : prepare_child(request, channel, parent);
        // The channel goes to 3 and closes on exec: that is what tells the parent that the program runs.
        if (failure == 0 && dup3(channel, 3, O_CLOEXEC) < 0) {
            failure = errno;
        }
        if (failure == 0) {
            channel = 3;
            close_from(4);
            sigprocmask(SIG_SETMASK, &none, NULL);
            execve(request->path, request->argv, request->envp);
            failure = errno;
        }
        (void)!write(channel, &failure, sizeof failure);
        _exit(127);
    }
    int failure = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (failure == 0) {
        ssize_t count;
        do {
            count = read(report[0], &failure, sizeof failure);
        } while (count < 0 && errno == EINTR);
        if (count == 0) {
            *pid = child;
            failure = 0;
        } else {
            if (count != sizeof failure) {
                failure = EIO;
            }
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
            }
        }
    }
    close(report[0]);
    return failure;
}

int csys_access_as(const char *path, int mode, const struct csys_identity *identity) {
    pid_t child = fork();
    if (child < 0) {
        return errno;
    }
    if (child == 0) {
        int failure = take_identity(identity);
        if (failure == 0 && access(path, mode) != 0) {
            failure = errno;
        }
        // errno values on Linux fit an exit status.
        _exit(failure);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
