#include <sqlite3.h>

// SQLite's own destructor constants are casts of integers, which Swift does not import.
static inline int fovea_bind_text(sqlite3_stmt *statement, int index, const char *text, int count) {
    return sqlite3_bind_text(statement, index, text, count, SQLITE_TRANSIENT);
}

// A null pointer would bind NULL, which is not the same as no bytes.
static inline int fovea_bind_blob(
    sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
    return sqlite3_bind_blob64(statement, index, count ? bytes : "", count, SQLITE_TRANSIENT);
}
