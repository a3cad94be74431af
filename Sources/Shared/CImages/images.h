// What the files of this target share.
#pragma once
#include "CImages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Stores a text and returns the status, so that a caller can `return ci_fail(...)`.
static inline ci_status ci_fail(ci_message *message, ci_status status, const char *text) {
    snprintf(message->text, sizeof message->text, "%s", text);
    return status;
}
