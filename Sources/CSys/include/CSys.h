#pragma once

//
// CSys.h: the few Linux calls that Swift's Glibc module does not offer, or that must run between fork and exec.
//
// Every function reports failure as an errno value of its own (0 is success) unless its comment says otherwise, since
// errno itself is not safe to read from Swift after other calls ran.
//
// inotify_init1, inotify_add_watch, inotify_rm_watch, flock, statvfs and waitpid import from Glibc as they are.
//

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A descriptor that wakes a poll loop from any thread: non-blocking, closed on exec. -1 with errno on failure.
int csys_eventfd_create(void);
// Makes the descriptor readable. Safe from any thread and from a signal handler.
void csys_eventfd_signal(int descriptor);
// Makes the descriptor unreadable again.
void csys_eventfd_drain(int descriptor);

// A pipe whose ends are closed on exec: ends[0] reads, ends[1] writes.
int csys_pipe(int ends[2]);

// A descriptor that becomes readable when the process ends, closed on exec. -1 with errno on failure.
int csys_pidfd_open(pid_t pid);

// Names the calling thread for ps and debuggers: the first 15 bytes.
void csys_name_thread(const char *name);

// Gives freed memory back to the system: after a large snapshot was dropped, glibc keeps it resident otherwise.
void csys_malloc_trim(void);

// The file system's magic number (statfs f_type) of the file at `path`: tells network and overlay file systems apart.
int csys_file_system_type(const char *path, int64_t *type);

// Takes the exclusive flock of an open file without waiting. EWOULDBLOCK: another process holds it.
int csys_lock_exclusively(int descriptor);

// Returns once all that was written to the file system of an open file is on its disk.
int csys_synchronize_file_system(int descriptor);

// Whom a child runs as. Without `changes` it keeps the caller's identity.
struct csys_identity {
    bool changes;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
};

struct csys_spawn_request {
    // An absolute path: no search along PATH.
    const char *path;
    // Both end with NULL.
    char *const *argv;
    char *const *envp;
    // NULL keeps the caller's. Entered as the child's own user.
    const char *working_directory;
    // -1 stands for /dev/null. All other descriptors are closed in the child.
    int standard_input;
    int standard_output;
    int standard_error;
    struct csys_identity identity;
    // Sent to the child when the *thread* that spawned it ends; 0 for none. Spawn from a thread that lives long.
    int parent_death_signal;
    // A process group of its own, so that Ctrl-C at the terminal does not reach it.
    bool own_process_group;
};

// Starts a program with default signal handling and an empty signal mask. Returns once the program runs, or the errno
// of the step that failed (in the child: chdir, setuid, execve). On success *pid is the child; the caller reaps it.
int csys_spawn(const struct csys_spawn_request *request, pid_t *pid);

// access(2) as another user: 0 when allowed, else the errno. `mode` is F_OK, R_OK, W_OK, X_OK.
int csys_access_as(const char *path, int mode, const struct csys_identity *identity);
