// Linux calls that Swift's Glibc module does not show.
#pragma once
#include <malloc.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

// Rests for a few dozen cycles without giving up the processor, which a spinning thread shares
// with its sibling.
static inline void fovea_rest(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// These are hidden behind _GNU_SOURCE, which an importing Swift file cannot set.
int syncfs(int fd);
int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int pthread_setname_np(pthread_t thread, const char *name);
