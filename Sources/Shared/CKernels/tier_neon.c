#if defined(__aarch64__)
#include "tiers.h"

#include <arm_neon.h>

#include "vec/neon.h"
#include "vec/partial.h"
#include "ops/all.h"

const ck_tier ck_tier_neon = CK_TABLE("neon");
#endif
