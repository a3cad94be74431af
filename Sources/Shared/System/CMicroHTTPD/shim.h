// libmicrohttpd, and the one variadic call of it that Swift cannot import.
#pragma once
#include <microhttpd.h>

// A server on `listen_socket`, which it owns from now on, with one thread of its own.
static inline struct MHD_Daemon *fovea_start_http(
    int listen_socket, MHD_AccessHandlerCallback answer, void *context,
    unsigned connections_max, unsigned timeout_seconds, size_t connection_bytes_max) {
    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, answer, context,
        MHD_OPTION_LISTEN_SOCKET, listen_socket, MHD_OPTION_CONNECTION_LIMIT, connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        connection_bytes_max, MHD_OPTION_END);
}
